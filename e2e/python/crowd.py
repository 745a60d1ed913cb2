"""Very many requests at once, over connections that stay open."""

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
