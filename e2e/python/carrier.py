"""Carriers that a test plays, under a certificate of the laptop's own CA: a mail server whose replies may be anything, and peers that
do not end what they say."""

import datetime
import email
import email.policy
import pathlib
import socket
import ssl
import threading
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

MAIL = ("mail.adyton.test", 465)
MESSAGES = ("carrier.adyton.test", 443)


def context_of(pretend, name, folder):
    """A server's TLS under the CA that the policy of a laptop trusts."""
    ca = x509.load_pem_x509_certificate((pretend / "tls-ca.pem").read_bytes())
    ca_key = serialization.load_pem_private_key((pretend / "tls-ca.key").read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


class Carrier:
    """Listens; each connection is served by a thread of its own once the laptop has made its CA."""

    def __init__(self, place):
        self.name, port = place
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.route = f"{self.name}:{port}=127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = []

    def begin(self, pretend: pathlib.Path, folder: pathlib.Path):
        self.context = context_of(pretend, self.name, folder)
        self.run(self.accept)

    def run(self, job, *arguments):
        thread = threading.Thread(target=job, args=arguments, daemon=True)
        thread.start()
        self.threads.append(thread)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.run(self.encrypted, connection)

    def encrypted(self, connection):
        connection.settimeout(60)
        try:
            with self.context.wrap_socket(connection, server_side=True) as stream:
                self.serve(stream)
        except OSError:
            # The vault went away, which is its right.
            pass

    def end(self):
        # Closing alone does not wake who accepts.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class MailServer(Carrier):
    """Speaks SMTP as others do, but for `replies`: bytes by verb, `connect` for the greeting and `.` for the final point. A reply may
    be a callable that gets the stream. With `only`, a domain, they are for who says EHLO with it."""

    USUAL = {
        "connect": b"220 mail\r\n",
        "EHLO": b"250-mail\r\n250 AUTH PLAIN\r\n",
        "AUTH": b"235 in\r\n",
        "DATA": b"354 go\r\n",
        "QUIT": b"221 bye\r\n",
    }

    def __init__(self):
        super().__init__(MAIL)
        self.replies, self.only, self.copies = {}, None, []

    def reply(self, stream, verb, domain=None):
        replies = self.replies if self.only in (None, domain) else {}
        reply = replies.get(verb, self.USUAL.get(verb, b"250 ok\r\n"))
        if callable(reply):
            reply(stream)
        else:
            stream.sendall(reply)

    def serve(self, stream):
        self.reply(stream, "connect")
        lines, domain = stream.makefile("rb"), None
        for line in lines:
            verb = line.split(b":")[0].split()[0].decode()
            if verb == "EHLO":
                domain = line.split()[1].decode()
            self.reply(stream, verb, domain)
            if verb == "DATA":
                mail = b"".join(iter(lines.readline, b".\r\n"))
                self.copies.append(email.message_from_bytes(mail, policy=email.policy.default))
                self.reply(stream, ".", domain)
                # The next mail is greeted anew.
                return

    def copies_to(self, address):
        return [copy for copy in self.copies if copy["To"] == address]


class HttpServer(Carrier):
    """Reads a request of the Messages resource, answers with the bytes of `answer`, and closes the connection."""

    def __init__(self):
        super().__init__(MESSAGES)
        self.answer, self.asked = b"", []

    def serve(self, stream):
        lines, length = stream.makefile("rb"), 0
        for line in iter(lines.readline, b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        form = urllib.parse.parse_qs(lines.read(length).decode())
        self.asked.append(form["To"][0])
        stream.sendall(self.answer)


class Endless(Carrier):
    """Says `first`, then `again` until the vault has had enough, or `most` bytes were said; an HTTP one is asked first."""

    def __init__(self, place, first, again, most):
        super().__init__(place)
        self.first, self.again, self.most = first, again, most
        self.said, self.ended = [], threading.Semaphore(0)

    def serve(self, stream):
        asked = b""
        while self.name != MAIL[0] and b"\r\n\r\n" not in asked:
            asked += stream.recv(65536)
        said = 0
        try:
            stream.sendall(self.first)
            while said < self.most:
                stream.sendall(self.again)
                said += len(self.again)
        except OSError:
            pass
        self.said.append(said)
        self.ended.release()
