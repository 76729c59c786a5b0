import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from bench.breaking import Process, Proxy, metric_total
from bench.faults import captured, outgoing
from bench.judging import count_losses
from contract import decode
from tests.conftest import free_port


def test_what_is_stored_is_compared_with_what_the_station_kept() -> None:
    ids = {"a", "b", "c", "taken along by the kill"}
    whole = [(one, at) for one in "abc" for at in (0, 1)]
    nothing = {"lost": 0, "doubled": 0, "foreign": 0, "detections_lost": 0, "detections_doubled": 0}
    assert count_losses(["a", "b", "c"], whole, ids, 3) == nothing
    assert count_losses(["a", "c"], whole[:2] + whole[4:], ids, 3) == nothing | {"lost": 1, "detections_lost": 2}
    doubled = count_losses(["a", "b", "b", "c"], [*whole, ("b", 0)], ids, 3)
    assert doubled == nothing | {"doubled": 1, "detections_doubled": 1}
    assert count_losses(["a", "b", "c", "d"], whole, ids, 3) == nothing | {"foreign": 1}
    assert count_losses(["a", "b", "c"], whole[:-1], ids, 3) == nothing | {"detections_lost": 1}


def test_every_capture_is_another_and_is_what_the_server_reads() -> None:
    now = datetime.now(UTC)
    one, two = captured("lake-07", now), captured("lake-07", now)
    assert one.event_id != two.event_id
    sent = outgoing(one)
    assert sent.topic == "wildpost/v1/lake-07/event"
    assert decode(sent.topic, sent.payload) == one


def test_a_cut_line_breaks_and_carries_again() -> None:
    echo = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        for _ in range(2):
            connection, _ = echo.accept()
            with connection:
                while data := connection.recv(100):
                    connection.sendall(data)

    thread = threading.Thread(target=answer)
    thread.start()
    proxy = Proxy(echo.getsockname()[1])
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as line:
        line.sendall(b"one")
        assert line.recv(3) == b"one"
        proxy.cut(0)
        assert line.recv(3) == b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as line:
        line.sendall(b"two")
        assert line.recv(3) == b"two"
    proxy.close()
    thread.join(10)
    echo.close()
    assert not thread.is_alive()


def test_a_killed_program_starts_again(tmp_path: Path) -> None:
    program = Process([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log")
    assert program.ended is None
    program.kill()
    assert program.ended == -9
    program.start()
    assert program.ended is None
    program.stop()
    assert program.ended == -15


def test_a_filled_disk_is_empty_again_afterwards(tmp_path: Path) -> None:
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000)); "
    limited += "import signal, pathlib; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limited += "from bench.breaking import fill; fill(pathlib.Path(sys.argv[1]), 0)"
    subprocess.run([sys.executable, "-c", limited, str(tmp_path)], check=True)
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_away_has_counted_nothing() -> None:
    assert metric_total(free_port(), "wildpost_messages_received_total") == 0
