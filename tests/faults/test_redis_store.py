"""The Redis store when Redis is away, frozen, full, restarted, killed, behind a password or TLS, or a cluster."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis import Redis

from schemas.errors import Fenced, StateRefused, StoreUnavailable
from schemas.redis_settings import RedisSettings
from streams.stores.contract import Claim, Commit, Ledger, OutboxRow, StateWrite
from streams.stores.redis import RedisStore
from streams.stores.redis_connection import Client, check_server
from streams.stores.redis_keys import PartitionKeys
from tests.services.programs import free_port, program
from tests.services.redis import PackagedServer, RedisServer, RedisSpace, cluster_of, server_of_own
from tests.services.waiting import wait_until

PASSWORD = "correct horse battery staple"
DEADLINE_S = 60


def opened(url: str, **settings: Any) -> RedisStore:
    return RedisStore(RedisSettings(url=url, **settings), accounts=8, drift=1)


def commit(store: RedisStore, claim: Claim, number: int, size: int = 1) -> Claim:
    """Writes ``number`` to the offset, to every one of ``size`` states, to an alert and to the ledger."""
    body = b"%d" % number
    return store.commit(
        claim,
        Commit(
            states=[StateWrite(f"account-{index}", body, 0, None, True) for index in range(size)],
            outbox=[OutboxRow(f"id-{claim.partition}-{number}", "trigger", 1.0, b'{"account":"a"}')],
            offsets={"events": number},
            ledger=Ledger(received=number, applied=number),
        ),
    ).claim


def standing(store: RedisStore, partition: int = 0) -> tuple[int, int, bytes]:
    """Offset, ledger and state as a new owner finds them: the same number three times, or something is half written."""
    claim = store.claim("accounts", partition)
    state = store.load(claim, ["account-0"], None).states["account-0"].state
    return claim.offsets["events"], claim.ledger.received, state


def until_it_works(call: Callable[[], Any]) -> Any:
    """The caller's own trying again, as the worker does it."""

    def tried() -> list[Any]:
        try:
            return [call()]
        except StoreUnavailable:
            return []

    return wait_until(tried, DEADLINE_S)[0]


def test_nobody_there_is_said_with_the_address() -> None:
    port = free_port()
    with pytest.raises(StoreUnavailable, match=f"Redis at redis://127.0.0.1:{port} can't be reached"):
        opened(f"redis://127.0.0.1:{port}")


def test_killed_and_started_again_it_goes_on_from_the_last_commit(redis_server: RedisServer) -> None:
    store = opened(redis_server.url)
    claim = commit(store, store.claim("accounts", 0), 1)
    redis_server.kill()
    with pytest.raises(StoreUnavailable):
        commit(store, claim, 2)
    redis_server.start()
    assert standing(store) == (1, 1, b"1")
    with pytest.raises(Fenced):
        commit(store, claim, 2)
    commit(store, store.claim("accounts", 0), 2)
    assert standing(store) == (2, 2, b"2")
    store.close()


def test_a_frozen_server_counts_as_away_and_its_late_commit_is_all_or_nothing(
    redis_server: RedisServer,
) -> None:
    store = opened(redis_server.url, timeout=0.3, connect_timeout=0.3)
    claim = commit(store, store.claim("accounts", 0), 1, size=1000)
    redis_server.freeze()
    try:
        with pytest.raises(StoreUnavailable, match="does not answer in time"):
            commit(store, claim, 2, size=1000)
        with pytest.raises(StoreUnavailable):
            store.claim("accounts", 0)
    finally:
        redis_server.thaw()
    offset, received, state = until_it_works(lambda: standing(store))
    assert (offset, received, state) in [(1, 1, b"1"), (2, 2, b"2")]
    commit(store, store.claim("accounts", 0), 3)
    assert standing(store) == (3, 3, b"3")
    store.close()


def test_restored_from_an_older_copy_all_goes_back_together(tmp_path: Path) -> None:
    with server_of_own() as server:
        store = opened(server.url)
        claim = commit(store, store.claim("accounts", 0), 1, size=100)
        server.stop()
        shutil.copytree(server.folder / "appendonlydir", tmp_path / "copy")
        server.start()
        claim = until_it_works(lambda: store.claim("accounts", 0))
        later = commit(store, claim, 2, size=100)
        server.stop()
        shutil.rmtree(server.folder / "appendonlydir")
        shutil.copytree(tmp_path / "copy", server.folder / "appendonlydir")
        server.start()
        assert until_it_works(lambda: standing(store)) == (1, 1, b"1")
        again = commit(store, store.claim("accounts", 0), 2, size=100)
        assert again.offsets == later.offsets
        with pytest.raises(Fenced):  # though it is as far as the new owner
            commit(store, later, 3)
        assert standing(store) == (2, 2, b"2")
        store.close()


def test_a_full_memory_refuses_whole_commits() -> None:
    with server_of_own({"maxmemory": "6mb"}) as server, Redis(port=server.port) as admin:
        store = opened(server.url)
        claim = store.claim("accounts", 0)
        number = 0

        def commit_more() -> None:
            nonlocal claim, number
            for number in range(1, 10_000):
                states = [StateWrite(f"{number}-{index}", b"x" * 1000, 0, 5.0, True) for index in range(40)]
                whole = Commit(
                    states=[StateWrite("account-0", b"%d" % number, 0, None, True), *states],
                    observations=[b"o"],
                    offsets={"events": number},
                    ledger=Ledger(received=number, applied=number),
                )
                claim = store.commit(claim, whole).claim

        with pytest.raises(StoreUnavailable, match=r"refuses \(OOM\)\n  its memory is full"):
            commit_more()
        keys = PartitionKeys("plumbline", "accounts", 0)
        last = number - 1
        assert admin.hget(keys.states, "account-0") == b"%d" % last
        assert admin.hlen(keys.states) == admin.zcard(keys.timers) + 1 == last * 40 + 1
        assert admin.llen(keys.outgoing("observations")) == last
        assert store.load(claim, ["account-0"], None).states["account-0"].state == b"%d" % last
        store.trim("accounts", 0, "observations", last)  # what makes room works
        admin.config_set("maxmemory", "64mb")
        commit(store, claim, number)
        assert standing(store)[0] == number
        store.close()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_server_that_throws_keys_away_is_refused(policy: str) -> None:
    with (
        server_of_own({"maxmemory-policy": policy}) as server,
        pytest.raises(StateRefused, match=f"maxmemory-policy {policy}"),
    ):
        opened(server.url)


def test_an_old_server_is_refused() -> None:
    old = SimpleNamespace(info=lambda: {"redis_version": "6.2.14", "maxmemory_policy": "noeviction"})
    with pytest.raises(StateRefused, match=r"has version 6\.2\.14"):
        check_server(cast(Client, old), "redis://old")


def test_a_password_is_asked_for_and_is_in_no_error() -> None:
    with server_of_own({"requirepass": f'"{PASSWORD}"'}) as server:
        with pytest.raises(StoreUnavailable, match=r"refuses \(NOAUTH\)"):
            opened(server.url)
        with pytest.raises(StoreUnavailable, match=r"refuses \(NOAUTH\)") as refused:
            opened(server.url, password="a wrong secret")
        assert "a wrong secret" not in str(refused.value)
        store = opened(server.url, password=PASSWORD)
        commit(store, store.claim("accounts", 0), 1)
        assert standing(store) == (1, 1, b"1")
        assert PASSWORD not in repr(RedisSettings(url=server.url, password=PASSWORD))
        store.close()


def test_a_user_needs_only_the_rights_that_the_document_lists() -> None:
    document = (Path(__file__).parents[2] / "docs/redis.md").read_text(encoding="utf-8")
    (acl,) = re.findall(r"^ACL SETUSER (.*)$", document, re.MULTILINE)
    with server_of_own({"user": acl.replace("PASSWORD", "secret-of-acl")}) as server:
        store = opened(server.url, username="plumbline", password="secret-of-acl")
        claim = commit(store, store.claim("accounts", 0), 1)
        assert standing(store) == (1, 1, b"1")
        drift = store.claim("drift", 0)
        assert (store.sources(drift), store.held(drift, 1.0, 1), store.held_count(drift)) == ({}, [], 0)
        assert store.next_due(claim) is None
        assert len(store.outgoing("accounts", 0, "alerts", 0, 9)) == 1
        store.trim("accounts", 0, "alerts", 1)
        store.close()
        with pytest.raises(StoreUnavailable, match=r"refuses \(NOPERM\)"):
            opened(server.url, username="plumbline", password="secret-of-acl", key_prefix="another")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem; server.pem for 127.0.0.1 and other.pem for another name, with their keys; client.pem."""
    folder = tmp_path_factory.mktemp("tls")
    openssl = program("openssl", package="openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2")
    for name, subject in (("server", "IP:127.0.0.1"), ("other", "DNS:other.example"), ("client", "DNS:c")):
        run("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "san").write_text(f"subjectAltName={subject}\n")
        signed_by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
        run("x509", "-req", "-in", f"{name}.csr", *signed_by, "-extfile", "san", "-out", f"{name}.pem")
    return folder


@pytest.fixture
def tls_server(certificates: Path, request: pytest.FixtureRequest) -> Iterator[PackagedServer]:
    name = getattr(request, "param", "server")
    with server_of_own(
        {
            "tls-cert-file": str(certificates / f"{name}.pem"),
            "tls-key-file": str(certificates / f"{name}.key"),
            "tls-ca-cert-file": str(certificates / "ca.pem"),
            "requirepass": f'"{PASSWORD}"',
        },
        tls=True,
    ) as server:
        yield server


def test_tls_with_a_clients_certificate_and_a_password(
    tls_server: PackagedServer, certificates: Path
) -> None:
    own = {"certificate": certificates / "client.pem", "key": certificates / "client.key"}
    store = opened(tls_server.url, password=PASSWORD, ca=certificates / "ca.pem", **own)
    commit(store, store.claim("accounts", 0), 1, size=5000)
    assert standing(store) == (1, 1, b"1")
    store.close()
    with pytest.raises(StoreUnavailable):  # the server asks for a certificate
        opened(tls_server.url, password=PASSWORD, ca=certificates / "ca.pem")
    with pytest.raises(StoreUnavailable, match=r"certificate of Redis at .* can't be trusted"):
        opened(tls_server.url, password=PASSWORD, **own)
    with pytest.raises(StoreUnavailable):
        opened(tls_server.url.replace("rediss:", "redis:"), password=PASSWORD, timeout=2.0)


@pytest.mark.parametrize("tls_server", ["other"], indirect=True)
def test_a_certificate_for_another_name_is_not_trusted(
    tls_server: PackagedServer, certificates: Path
) -> None:
    with pytest.raises(StoreUnavailable, match="can't be trusted"):
        opened(tls_server.url, password=PASSWORD, ca=certificates / "ca.pem")


def test_files_for_tls_that_are_not_there_are_named_as_the_reason(tmp_path: Path) -> None:
    with pytest.raises(StateRefused, match="files for TLS"):
        opened("rediss://127.0.0.1:1", ca=tmp_path / "missing.pem")


def test_several_partitions_at_the_same_time(redis: RedisSpace) -> None:
    store = RedisStore(redis.settings, accounts=8, drift=1)

    def run(partition: int) -> None:
        claim = store.claim("accounts", partition)
        for number in range(1, 21):
            claim = commit(store, claim, number, size=50)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, range(8)))
    assert [standing(store, partition) for partition in range(8)] == [(20, 20, b"20")] * 8
    store.close()


VICTIM = """
import sys
from schemas.redis_settings import RedisSettings
from streams.stores.redis import RedisStore
from tests.faults.test_redis_store import commit
store = RedisStore(RedisSettings(url=sys.argv[1], key_prefix=sys.argv[2]), accounts=8, drift=1)
claim = store.claim("accounts", 0)
for number in range(1, 10):
    claim = commit(store, claim, number, size=100)
"""


@pytest.mark.parametrize(("point", "expected"), [("commit.before:3", 2), ("commit.after:3", 3)])
def test_a_killed_program_leaves_whole_commits(redis: RedisSpace, point: str, expected: int) -> None:
    died = subprocess.run(
        [sys.executable, "-c", VICTIM, redis.settings.url, redis.settings.key_prefix],
        env={**os.environ, "PLUMBLINE_FAILPOINT": point},
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=DEADLINE_S,
    )
    assert died.returncode == -signal.SIGKILL
    store = RedisStore(redis.settings, accounts=8, drift=1)
    assert standing(store) == (expected, expected, b"%d" % expected)
    store.close()


def test_a_cluster_keeps_partitions_on_its_nodes_and_comes_back_after_one_is_gone() -> None:
    with cluster_of(3) as nodes:
        store = RedisStore(RedisSettings(cluster=[nodes[0].url]), accounts=8, drift=1)
        for partition in range(8):
            commit(store, store.claim("accounts", partition), 1, size=4000)
        assert [standing(store, partition) for partition in range(8)] == [(1, 1, b"1")] * 8
        assert len(store.outgoing("accounts", 7, "alerts", 0, 10)) == 1
        places = {partition: place(nodes, partition) for partition in range(8)}
        assert len(set(places.values())) == 3
        gone = places[7]
        nodes[gone].kill()
        with pytest.raises(StoreUnavailable):
            store.claim("accounts", 7)
        nodes[gone].start()
        for partition in range(8):
            assert until_it_works(lambda number=partition: standing(store, number)) == (1, 1, b"1")
        store.close()


def test_a_slot_on_the_move_stops_commits_whole_and_goes_on_at_its_new_node() -> None:
    with cluster_of(3) as nodes:
        store = RedisStore(RedisSettings(cluster=[node.url for node in nodes]), accounts=8, drift=1)
        claim = commit(store, store.claim("accounts", 0), 1)
        keys = PartitionKeys("plumbline", "accounts", 0)
        source = place(nodes, 0)
        target = (source + 1) % 3
        admins = [Redis(port=node.port) for node in nodes]
        names = [str(admin.execute_command("CLUSTER MYID", NEVER_DECODE=True), "ascii") for admin in admins]
        slot = admins[0].execute_command("CLUSTER KEYSLOT", keys.head)
        admins[target].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[source])
        admins[source].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[target])
        found = admins[source].execute_command("CLUSTER GETKEYSINSLOT", slot, 100)
        moved = [keys.alerts, keys.states]
        assert set(moved) < set(found)
        for key in moved:
            admins[source].execute_command("MIGRATE", "127.0.0.1", nodes[target].port, key, 0, 5000)
        before = admins[source].dump(keys.head)
        with pytest.raises(StoreUnavailable, match=r"refuses \(TRYAGAIN\)"):
            commit(store, claim, 2)
        assert admins[source].dump(keys.head) == before
        for key in set(found) - set(moved):
            admins[source].execute_command("MIGRATE", "127.0.0.1", nodes[target].port, key, 0, 5000)
        for admin in (admins[target], admins[source]):
            admin.execute_command("CLUSTER SETSLOT", slot, "NODE", names[target])
        commit(store, claim, 2)
        assert standing(store) == (2, 2, b"2")
        for admin in admins:
            admin.close()
        store.close()


def place(nodes: list[PackagedServer], partition: int) -> int:
    """Which node holds the state partition."""
    key = PartitionKeys("plumbline", "accounts", partition).head
    for number, node in enumerate(nodes):
        with Redis(port=node.port) as admin:
            slot = admin.execute_command("CLUSTER KEYSLOT", key)
            if admin.execute_command("CLUSTER COUNTKEYSINSLOT", slot):
                return number
    raise AssertionError("no node holds it")
