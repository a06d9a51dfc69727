"""Both file systems keep the same promises."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path
from typing import Any

import fsspec
import pytest

from brainalign.errors import StoreError
from brainalign.store import Store, open_store
from brainalign.store.files import Disk, Remote, open_files, store_errors, without_secrets


def test_files_are_written_listed_and_removed(store: Store) -> None:
    files = store.files
    assert files.names("") == [] or files.names("no") == []
    files.write("a/b/c", b"1")
    files.write("a/b/c", b"22")
    files.write("a/d", b"333")
    assert files.read("a/b/c") == b"22"
    assert files.names("a") == ["b", "d"]
    assert files.walk("a") == {"b/c": 2, "d": 3}
    files.remove("a/b")
    files.remove("a/nothing")
    assert files.walk("a") == {"d": 3}
    with pytest.raises(FileNotFoundError):
        files.read("a/b/c")
    with pytest.raises(FileNotFoundError):
        files.read("a")


def test_create_refuses_what_is_there_and_replace_does_not(store: Store) -> None:
    files = store.files
    files.publish("p/current.json", b"1", create=True)
    with pytest.raises(FileExistsError):
        files.publish("p/current.json", b"2", create=True)
    assert files.read("p/current.json") == b"1"
    files.publish("p/current.json", b"3", create=False)
    assert files.read("p/current.json") == b"3"
    assert files.names("p") == ["current.json"]


def test_a_disk_without_links_still_creates_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    files = Disk(tmp_path)
    files.publish("p", b"1", create=True)
    with pytest.raises(FileExistsError):
        files.publish("p", b"2", create=True)
    assert files.read("p") == b"1"
    assert files.names("") == ["p"]


class ClientError(Exception):
    """What a client of a network file system raises, which is no OSError."""


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("cat_file", lambda files: files.read("p")),
        ("pipe_file", lambda files: files.write("p", b"1")),
        ("pipe_file", lambda files: files.publish("p", b"1", create=True)),
        ("ls", lambda files: files.names("p")),
        ("find", lambda files: files.walk("p")),
        ("rm", lambda files: files.remove("p")),
    ],
)
def test_what_a_client_raises_is_an_error_of_the_system_without_secrets(
    operation: str, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ClientError("https://lab.example/p?sig=hunter2 did not answer")

    files = Remote("memory://away")
    monkeypatch.setattr(files._fs, operation, away)
    with pytest.raises(OSError, match=r"ClientError: https://lab\.example/p did not answer"):
        call(files)


def test_a_server_without_conditional_writes_gets_a_lock_file(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Remote("memory://locked")
    files._conditional = False
    files.publish("p", b"1", create=True)
    with pytest.raises(FileExistsError):
        files.publish("p", b"2", create=True)
    assert files.names("") == ["p"]
    files.write("q.lock", b'{"owner": "other", "time": 9e12}')
    with pytest.raises(FileExistsError, match="another writer"):
        files.publish("q", b"1", create=True)
    files.write("q.lock", b'{"owner": "dead", "time": 0}')
    files.publish("q", b"1", create=True)
    assert files.read("q") == b"1"
    fsspec.filesystem("memory").rm("/locked", recursive=True)


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Disk(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write("a/b", b"1")
    assert files.names("a") == []


def test_secrets_are_never_shown() -> None:
    url, options = "memory://key:secret@secrets/x", {"token": "hunter2"}
    opened = open_store(url, storage_options=options)
    shown = f"{opened!r} {opened.files!r} {opened.url} {opened.files.label}"
    assert "secret@" not in shown and "hunter2" not in shown
    assert without_secrets("s3://a:b@c/d?X-Amz-Signature=1") == "s3://c/d"


@pytest.mark.parametrize("url", ["folder", "memory://pickled"])
def test_a_store_travels_to_another_process(url: str, tmp_path: Path) -> None:
    opened = open_store(tmp_path / url if "://" not in url else url)
    again = pickle.loads(pickle.dumps(opened))  # noqa: S301 - our own bytes, as a scheduler sends them
    again.files.write("a", b"1")
    assert opened.files.read("a") == b"1"
    again.files.remove("a")


def test_urls_choose_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_files(tmp_path), Disk)
    assert open_files(f"file://{tmp_path}").label == str(tmp_path)
    with pytest.raises(StoreError, match="nosuchprotocol"):
        open_files("nosuchprotocol://x")
    monkeypatch.setenv("BRAINALIGN_STORE", str(tmp_path / "env"))
    assert open_store().url == str(tmp_path / "env")
    monkeypatch.delenv("BRAINALIGN_STORE")
    monkeypatch.chdir(tmp_path)
    assert open_store().url == str(tmp_path / "brainalign-store")
    assert not (tmp_path / "brainalign-store").exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left"), "disk is full"),
        (PermissionError(errno.EACCES, "denied"), "may not write"),
        (OSError(errno.EIO, "bad"), "nothing that readers see"),
    ],
)
def test_system_errors_become_store_errors(error: OSError, words: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=words), store_errors("writing x", Disk(tmp_path)):
        raise error
