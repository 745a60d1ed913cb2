"""Very many connections at once: their requests, or what they withhold."""

import asyncio
import base64
import json
import ssl
import urllib.parse

CLIENTS = 500


async def read(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = json.loads(await reader.readexactly(length))
    return int(head.split()[1]), head.decode().lower(), body


async def client(up, forms, answers):
    """One connection that sends a request as soon as it has the last one's answer."""
    api = urllib.parse.urlsplit(up.ready["api"])
    context = ssl.create_default_context(cafile=up.ready["ca"])
    reader, writer = await asyncio.open_connection(api.hostname, api.port, ssl=context)
    basic = base64.b64encode(f"{up.ready['account_sid']}:{up.ready['auth_token']}".encode()).decode()
    head = f"Host: {api.netloc}\r\nAuthorization: Basic {basic}\r\n"
    while forms:
        name, path, form = forms.pop()
        body = urllib.parse.urlencode(form)
        request = f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}"
        writer.write(request.encode())
        answers[name] = await read(reader)
    writer.close()


async def crowd(up, forms, clients):
    answers = {}
    await asyncio.gather(*(client(up, forms, answers) for _ in range(clients)))
    return answers


def all_at_once(up, forms, clients=CLIENTS, patience=120):
    """Posts (name, path, form)s; what each was answered, by name: status, head and body."""
    return asyncio.run(asyncio.wait_for(crowd(up, list(forms), clients), patience))


class Crowd:
    """Connections that say the same, or some of them do."""

    def __init__(self, connections):
        self.connections = connections

    @classmethod
    async def open(cls, up, count, at_once=40):
        """Opens them, each with its handshake done."""
        api = urllib.parse.urlsplit(up.ready["api"])
        context = ssl.create_default_context(cafile=up.ready["ca"])
        places = asyncio.Semaphore(at_once)

        async def one():
            async with places:
                return await asyncio.open_connection(api.hostname, api.port, ssl=context)

        return cls(await asyncio.gather(*(one() for _ in range(count))))

    async def say(self, data, first=0, end=None):
        """Sends it, and leaves those alone that were closed."""

        async def one(writer):
            try:
                writer.write(data)
                await writer.drain()
            except ConnectionError:
                pass

        await asyncio.gather(*(one(writer) for _, writer in self.connections[first:end]))

    async def statuses(self, first=0, end=None):
        """The statuses that they are answered with."""

        async def status(reader):
            return int((await reader.readuntil(b"\r\n"))[9:12])

        return set(await asyncio.gather(*(status(reader) for reader, _ in self.connections[first:end])))

    def close(self):
        for _, writer in self.connections:
            writer.transport.abort()
