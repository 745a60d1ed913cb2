"""Page 07, the webhook: bodies and their signatures."""

import hashlib
import hmac
import json

ID = "VL0123456789abcdef0123456789abcdef"
TIME = 1_790_000_000
ONE = "00" * 31 + "01"
LONG = bytes(range(64)).hex()
TEXT = "Your Example verification code is: 123456"


def body(text: str, route: int = 0, to: str = "+15550100123", channel: str = "sms", **members: str) -> str:
    html = {"html": members.pop("html")} if "html" in members else {}
    message = {"id": f"{ID}-{route}", "to": to, "channel": channel, **members, "text": text, **html}
    return json.dumps(message | {"valid_until": TIME + 600}, ensure_ascii=False, separators=(",", ":"))


def signature(key: str, timestamp: str, content: str) -> str:
    return "v1=" + hmac.new(bytes.fromhex(key), f"{timestamp}.{content}".encode(), hashlib.sha256).hexdigest()


def cases() -> list[dict]:
    out = []

    def case(name: str, key: str, content: str, timestamp: str = str(TIME)) -> dict:
        signed = {"key": key, "timestamp": timestamp, "body": content, "signature": signature(key, timestamp, content)}
        out.append({"name": name} | signed)
        return signed

    def fail(name: str, refusal: str, **changes: object) -> None:
        out.append({"name": f"fail_{name}"} | text | changes | {"refusal": refusal})

    text = case("text", ONE, body(TEXT))
    case("text_from_quoted", LONG, body('Code: 123456 "quoted" é\n@example.com #123456', 3, **{"from": "Example"}))
    mail = {"to": "jo@example.com", "channel": "email", "subject": "Your Example verification"}
    case("mail", ONE, body(TEXT, html="<p>Ihr Code für Example: <b>123456</b></p>", **mail))
    case("key_of_40_bytes", "ab" * 40, body(TEXT), "0")
    fail("body", "signature", body=text["body"].replace("6", "7"))
    fail("timestamp", "signature", timestamp=str(TIME + 1))
    fail("point_moved", "signature", timestamp=str(TIME)[:-1], body="0." + text["body"])
    fail("other_key", "signature", key=LONG)
    fail("version", "signature", signature="v2" + text["signature"][2:])
    fail("late", "timestamp", now=TIME + 301)
    fail("early", "timestamp", now=TIME - 301)
    fail("timestamp_sign", "timestamp", timestamp=f"+{TIME}")
    return out
