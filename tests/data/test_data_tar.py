"""The tar reader has one reading or none; the writer's output is what every other tool reads."""

from __future__ import annotations

import bz2
import io
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd_core.data.limits import Limits
from srd_core.data.tar import BLOCK, REASONS, Member, TarError, TarWriter, iter_members

FILES = [("a.jpg", b"\xff" * 700), ("a.txt", b"a dog"), ("folder/b.png", b""), ("b.txt", b"x" * BLOCK)]


def pack(files: list[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    with TarWriter(target) as writer:
        for name, data in files:
            writer.write(name, data)
    return target.getvalue()


def read(data: bytes, limits: Limits | None = None) -> tuple[list[tuple[str, bytes]], str]:
    """Members read, and the reason it stopped ("" for a clean end)."""
    found: list[tuple[str, bytes]] = []
    try:
        for member in iter_members(io.BytesIO(data), limits):
            found.append((member.name, member.data))
    except TarError as error:
        return found, error.reason
    return found, ""


def with_python(kind: int, files: list[tarfile.TarInfo | tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=kind) as archive:
        for item in files:
            info, data = (item, b"") if isinstance(item, tarfile.TarInfo) else (tarfile.TarInfo(item[0]), item[1])
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def resum(block: bytes) -> bytes:
    """A header block with the right checksum."""
    blank = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(blank) + block[156:]


def test_what_was_written_is_read_back() -> None:
    assert read(pack(FILES)) == (FILES, "")


def test_same_members_same_bytes_and_no_trace_of_the_machine() -> None:
    data = pack(FILES)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        info = archive.getmembers()[0]
    assert data == pack(FILES)
    assert (info.mtime, info.uid, info.gid, info.uname, info.gname, info.mode) == (0, 0, 0, "", "", 0o644)


def test_python_reads_our_archive() -> None:
    files = [*FILES, ("deep/" * 30 + "n" * 90 + ".txt", b"1"), ("é" * 60 + ".txt", b"2"), ("n" * 240 + ".txt", b"3")]
    with tarfile.open(fileobj=io.BytesIO(pack(files))) as archive:
        found = [(info.name, archive.extractfile(info).read()) for info in archive]  # type: ignore[union-attr]
    assert found == files


def test_gnu_tar_extracts_our_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(pack([*FILES, ("n" * 240 + ".txt", b"3")]))
    subprocess.run(["tar", "xf", path, "-C", tmp_path], check=True)
    assert (tmp_path / "folder/b.png").read_bytes() == b""
    assert (tmp_path / ("n" * 240 + ".txt")).read_bytes() == b"3"


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_the_three_dialects(kind: int) -> None:
    assert read(with_python(kind, list(FILES))) == (FILES, "")


def test_pax_carries_long_and_foreign_names() -> None:
    files = [("ü" * 80 + ".jpg", b"1"), ("n" * 200 + ".txt", b"2")]
    assert read(with_python(tarfile.PAX_FORMAT, list(files))) == (files, "")


def test_folders_of_an_ordinary_tar_command_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.txt").write_text("dog")
    subprocess.run(["tar", "cf", "named.tar", "set"], check=True, cwd=tmp_path)
    subprocess.run(["tar", "cf", "dot.tar", "-C", "set", "."], check=True, cwd=tmp_path)
    assert read((tmp_path / "named.tar").read_bytes()) == ([("set/a.txt", b"dog")], "")
    assert read((tmp_path / "dot.tar").read_bytes()) == ([("a.txt", b"dog")], "")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_anything_but_a_regular_file_is_refused_after_the_good_prefix(kind: bytes) -> None:
    info = tarfile.TarInfo("evil.jpg")
    info.type, info.linkname = kind, "/etc/passwd"
    assert read(with_python(tarfile.GNU_FORMAT, [("a.txt", b"dog"), info])) == ([("a.txt", b"dog")], "unsupported-type")


def test_pax_sparse_is_refused() -> None:
    info = tarfile.TarInfo("a.txt")
    info.pax_headers = {"GNU.sparse.major": "1"}
    assert read(with_python(tarfile.PAX_FORMAT, [info])) == ([], "unsupported-type")


@pytest.mark.parametrize("name", ["/etc/x.jpg", "../x.jpg", "a/../../x.jpg", "a//x.jpg", "a\\x.jpg", "a\nb.jpg", "a\u202egpj.exe", "."])
def test_names_that_lie_or_escape_are_refused(name: str) -> None:
    data = with_python(tarfile.PAX_FORMAT, [(name, b"x")])
    assert read(data) == ([], "bad-name")


def test_writer_refuses_what_the_reader_would() -> None:
    for name in ("../x", "/x", "./x", "", "a\0b"):
        with pytest.raises(TarError, match="bad-name"):
            pack([(name, b"")])


def test_bytes_hidden_behind_a_name_are_refused() -> None:
    block = pack([("a.txt", b"")])[:BLOCK]
    block = resum(b"a.txt\0../../x".ljust(100, b"\0") + block[100:])
    assert read(block + bytes(1024)) == ([], "bad-name")


@pytest.mark.parametrize(("content", "place"), [(b"x" * 4096, 0), (b"\x1f\x8b" + bytes(600), 0), (b"", 0)])
def test_what_is_no_archive_is_told_where_it_begins(content: bytes, place: int) -> None:
    first = pack([("a.txt", b"")])[:BLOCK]
    for before in (b"", first) if content[:1] == b"x" else (b"",):
        with pytest.raises(TarError, match=rf"\(byte {place + len(before)}\)"):
            list(iter_members(io.BytesIO(before + content)))


def test_flipped_header_bit_is_a_bad_checksum() -> None:
    data = bytearray(pack(FILES))
    data[3] ^= 1
    assert read(bytes(data)) == ([], "bad-checksum")


@pytest.mark.parametrize(
    ("cut", "members"), [(100, 0), (BLOCK + 10, 0), (3 * BLOCK - 1, 0), (3 * BLOCK, 1), (-1024, 4), (-512, 4), (-1, 4)]
)
def test_every_cut_is_noticed_and_the_prefix_kept(cut: int, members: int) -> None:
    assert read(pack(FILES)[:cut]) == (FILES[:members], "truncated")


def test_second_archive_behind_the_first_is_refused() -> None:
    assert read(pack(FILES) + pack(FILES)) == (FILES, "trailing-data")


def test_zero_padding_behind_the_end_is_fine() -> None:
    assert read(pack(FILES) + bytes(20 * BLOCK)) == (FILES, "")


def test_an_empty_archive_is_fine_and_an_empty_file_is_not() -> None:
    assert read(pack([])) == ([], "")
    assert read(b"") == ([], "empty")


def test_nothing_compressed_is_compressed() -> None:
    assert read(bz2.compress(b"")) == ([], "compressed")


def test_an_archive_of_the_oldest_kind_is_refused_for_what_it_is() -> None:
    plain = pack([("BZhang.txt", b"dog")])
    assert read(resum(plain[:257] + bytes(8) + plain[265:BLOCK]) + plain[BLOCK:]) == ([], "not-tar")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_compressed_archives_are_not_unpacked(mode: str) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]
        archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO(b""))
    assert read(target.getvalue()) == ([], "compressed")


def test_claimed_size_does_not_cost_memory_or_pass_the_limit() -> None:
    block = pack([("a.txt", b"")])[:BLOCK]
    huge = resum(block[:124] + b"%011o\0" % (63 * 2**20) + block[136:])
    assert read(huge) == ([], "truncated")
    assert read(huge, Limits(max_member_bytes=2**20)) == ([], "too-large")


def test_binary_sizes_are_refused() -> None:
    block = pack([("a.txt", b"")])[:BLOCK]
    assert read(resum(block[:124] + b"\x80" + bytes(10) + b"\x05" + block[136:]))[1] == "bad-header"


@pytest.mark.parametrize("name", ["BZh.txt", "BZhang_001.txt", "BZh91AY&SY.txt"])
def test_a_name_that_begins_like_a_compressed_archive_is_a_name(name: str) -> None:
    """Regression: the shard was refused as bzip2."""
    assert read(pack([(name, b"dog")])) == ([(name, b"dog")], "")


def test_what_python_reads_otherwise_is_refused() -> None:
    """Regression: each of the three was read, as something else than `tarfile` makes of it."""
    block = pack([("a.txt", b"")])[:BLOCK]
    null_first = resum(block[:124] + b"\0%010o\0" % 512 + block[136:]) + pack([("b.txt", b"")])
    old_times = resum(block[:257] + b"ustar  \0" + block[265:345] + b"folder".ljust(155, b"\0") + block[500:]) + bytes(1024)
    no_blank = pack([("PaxHeader", b"00000020Xpath=b.txt\n")])[: 2 * BLOCK]
    no_blank = resum(no_blank[:156] + b"x" + no_blank[157:BLOCK]) + no_blank[BLOCK:] + pack([("a.txt", b"dog")])
    for odd, theirs in ((null_first, ["a.txt", "b.txt"]), (old_times, ["folder/a.txt"]), (no_blank, ["a.txt"])):
        assert read(odd) == ([], "bad-header")
        with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(odd)) as archive:
            assert archive.getnames() == theirs


def test_two_sizes_for_one_member_are_refused() -> None:
    info = tarfile.TarInfo("a.txt")
    info.pax_headers = {"size": "512"}
    assert read(with_python(tarfile.PAX_FORMAT, [info])) == ([], "bad-header")


def test_limits_on_counts_names_and_total() -> None:
    data = pack(FILES)
    assert read(data, Limits(max_members=3)) == (FILES[:3], "too-large")
    assert read(data, Limits(max_shard_bytes=2000))[1] == "too-large"
    assert read(data, Limits(max_name_bytes=6)) == (FILES[:2], "bad-name")
    assert read(with_python(tarfile.PAX_FORMAT, [("n" * 400, b"")]), Limits(max_header_bytes=300)) == ([], "too-large")


def test_error_inside_the_block_leaves_no_end_marker() -> None:
    target = io.BytesIO()
    with pytest.raises(RuntimeError), TarWriter(target) as writer:
        writer.write("a.txt", b"dog")
        raise RuntimeError
    assert read(target.getvalue()) == ([("a.txt", b"dog")], "truncated")


def test_short_reads_of_a_network_stream_change_nothing() -> None:
    class Drip(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size, 37) if size and size > 0 else size)

    assert [(m.name, m.data) for m in iter_members(Drip(pack(FILES)))] == FILES


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=20)), min_size=1, max_size=4), st.booleans())
def test_damage_gives_members_or_a_named_reason(edits: list[tuple[int, bytes]], fix: bool) -> None:
    data = bytearray(with_python(tarfile.PAX_FORMAT, [*FILES, ("é.txt", b"1")]))
    for place, patch in edits:
        place %= len(data)
        data[place : place + len(patch)] = patch
    if fix:
        data[:BLOCK] = resum(bytes(data[:BLOCK]))
    found, reason = read(bytes(data))
    assert reason in REASONS | {""}
    assert all(Member(*item).name and ".." not in item[0].split("/") for item in found)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=3000))
def test_noise_is_refused(data: bytes) -> None:
    found, reason = read(data)
    assert reason in REASONS
    assert found == []


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text("abcé世 ./_-", min_size=1, max_size=140), st.binary(max_size=1100), max_size=5))
def test_any_accepted_names_survive_a_round_trip(files: dict[str, bytes]) -> None:
    good = [(name, data) for name, data in files.items() if not any(part in ("", ".", "..") for part in name.split("/"))]
    assert read(pack(good)) == (good, "")
