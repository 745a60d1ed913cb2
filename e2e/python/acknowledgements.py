"""A relay between a running vault's enclave and its host, which withholds the store's acknowledgements as a host can."""

import os
import pathlib
import signal
import socket
import struct
import threading

from conftest import eventually

# Frames (docs/spec/01-frames.md).
HELLO = 0x01
APPEND_CHANNEL = 1


class Acknowledgements:
    """Stands between host and enclave once the enclave was started again; everything passes until `hold`."""

    def __init__(self, up):
        before = up.children()["adyton-enclave"]
        arguments = pathlib.Path(f"/proc/{before}/cmdline").read_text().split("\0")
        self.path = pathlib.Path(arguments[arguments.index("--service") + 1].removeprefix("unix:"))
        self.host = self.path.with_name("host-behind-relay")
        self.path.rename(self.host)
        self.changed, self.holding, self.allowed = threading.Condition(), False, 0
        # Every append that the enclave asked for, whole frames, those that it asked for again included.
        self.appends = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()
        os.kill(before, signal.SIGKILL)

        def again():
            assert up.children()["adyton-enclave"] != before
            assert up.verify().fetch().sid == up.ready["service_sid"]

        eventually(again)

    def hold(self):
        """No acknowledgement passes from now on, but those that `let_pass` lets."""
        with self.changed:
            self.holding, self.allowed = True, 0

    def let_pass(self, count=1):
        with self.changed:
            self.allowed += count
            self.changed.notify_all()

    def release(self):
        with self.changed:
            self.holding = False
            self.changed.notify_all()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(str(self.host))
            except OSError:
                near.close()
                continue
            append = threading.Event()
            threading.Thread(target=self.to_host, args=(near, far, append), daemon=True).start()
            threading.Thread(target=self.to_enclave, args=(far, near, append), daemon=True).start()

    def to_host(self, near, far, append):
        try:
            hello = frame(near)
            if hello[4] == HELLO and hello[-1] == APPEND_CHANNEL:
                append.set()
            far.sendall(hello)
            while append.is_set():
                asked = frame(near)
                self.appends.append(asked)
                far.sendall(asked)
            pipe(near, far)
        except OSError:
            pass
        end(far)

    def to_enclave(self, far, near, append):
        try:
            near.sendall(frame(far))
            while append.is_set():
                acknowledgement = frame(far)
                with self.changed:
                    self.changed.wait_for(lambda: not self.holding or self.allowed)
                    self.allowed -= self.holding
                near.sendall(acknowledgement)
            pipe(far, near)
        except OSError:
            pass
        end(near)


def frame(stream):
    """One whole frame, its length first."""
    length = exactly(stream, 4)
    return length + exactly(stream, struct.unpack(">I", length)[0])


def exactly(stream, count):
    taken = b""
    while len(taken) < count:
        piece = stream.recv(count - len(taken))
        if not piece:
            raise OSError("the connection has ended")
        taken += piece
    return taken


def pipe(source, sink):
    while piece := source.recv(65536):
        sink.sendall(piece)


def end(sink):
    try:
        sink.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
