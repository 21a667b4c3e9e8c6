"""Elasticsearch 8: MCU_TEST_ELASTICSEARCH, or the node in ../shared/elasticsearch in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch, helpers

from tests.services import free_port, missing, wait_until

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT.parent / "shared" / "elasticsearch" / "bin" / "elasticsearch"
START_SECONDS = 120.0  # 4 s on a free machine; both cores are busy when everything is tested at once
STOP_SECONDS = 30.0
JAVA_OPTIONS = (
    "-Xms512m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"  # starts in half the processor time
)


class Node:
    """One node on a port of its own; stopped and started again it keeps its port and its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._transport_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the node answers. Raises TimeoutError with the end of its log."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "output.txt").open("ab") as output:
            self._running = subprocess.Popen(
                [str(PROGRAM), str(self._folder / "data"), f"http.port={self._port}",
                 f"transport.port={self._transport_port}",
                 # the test machine's disk may be nearly full; a node of a minute needs none of it
                 "cluster.routing.allocation.disk.threshold_enabled=false"],
                env={"ES_JAVA_OPTS": JAVA_OPTIONS} | os.environ,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            wait_until(self._is_ready, seconds=START_SECONDS, what="Elasticsearch")
        except TimeoutError as error:
            self.stop()
            end = (self._folder / "output.txt").read_text(errors="replace")[-2000:]
            raise TimeoutError(f"{error}\n{end}") from None

    def stop(self) -> None:
        if self._running is None:
            return
        self._running.send_signal(signal.SIGTERM)
        try:
            self._running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._running = None

    def _is_ready(self) -> bool:
        if self._running is not None and self._running.poll() is not None:
            raise TimeoutError(f"Elasticsearch ended with {self._running.returncode}")
        try:
            with urllib.request.urlopen(f"{self.url}/_cluster/health", timeout=2) as answer:  # noqa: S310
                return b'"status":"red"' not in answer.read()
        except OSError:
            return False


def new_node(folder: Path) -> Node:
    """A node that is not started yet. Skips the test by name when this machine can't run one."""
    if not PROGRAM.is_file():
        missing(
            "Elasticsearch", "set MCU_TEST_ELASTICSEARCH to the address of a node that tests may write to"
        )
    if shutil.which("java") is None:
        missing("Java 17", "apt-get install openjdk-17-jre-headless, or set MCU_TEST_ELASTICSEARCH")
    return Node(folder)


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running node. Use an index prefix of your own and remove it afterwards."""
    if given := os.environ.get("MCU_TEST_ELASTICSEARCH"):
        yield given
        return
    node = new_node(tmp_path_factory.mktemp("elasticsearch"))
    node.start()
    yield node.url
    node.stop()


@pytest.fixture
def elasticsearch_alias(elasticsearch_url: str) -> Iterator[str]:
    """A prefix that only this test uses; its indices and template are removed afterwards."""
    with own_alias(elasticsearch_url) as alias:
        yield alias


@pytest.fixture(scope="module")
def elasticsearch_module_alias(elasticsearch_url: str) -> Iterator[str]:
    """A prefix for all tests of a module: making a month takes a second, `empty` does not."""
    with own_alias(elasticsearch_url) as alias:
        yield alias


@contextmanager
def own_alias(url: str) -> Iterator[str]:
    alias = f"mcu-test-{uuid4().hex[:12]}"
    yield alias
    with Elasticsearch(url, request_timeout=60) as client:
        for index in client.indices.get(index=f"{alias}-*"):
            client.indices.delete(index=index)
        client.options(ignore_status=404).indices.delete_index_template(name=alias)


def empty(url: str, alias: str) -> None:
    """Delete every document of the prefix; its indices stay."""
    with Elasticsearch(url, request_timeout=60) as client:
        client.indices.refresh(index=f"{alias}-*")
        hits = helpers.scan(client, index=f"{alias}-*", _source=False)
        helpers.bulk(client, ({"_op_type": "delete", "_index": h["_index"], "_id": h["_id"]} for h in hits))
        client.indices.refresh(index=f"{alias}-*")
