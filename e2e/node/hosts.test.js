"use strict";
// Host names that this SDK rewrites, and that `adyton policy check` therefore refuses.

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");
const twilio = require("twilio");
const { vaultTest } = require("./vault.js");

const REWRITTEN = {
  "vault.example": "vault.example.vault.example",
  "adyton.test": "adyton.test.adyton.test",
  "a.b.c.d.example.com": "a.b.c.example.com",
  "a.b.c.d.e.f.example.com": "a.b.c.example.com",
  "a.b.com.com.co": "a.b.com.co",
};
const KEPT = [
  "verify.example.com",
  "com.com.co",
  "example.com.example.com",
  "a.com.com.co",
  "a.verify.example.com",
  "a.b.verify.example.com",
  "xn--exmple-cua.example.com",
];

/** The host that the official SDK calls for a base URL. */
async function called(host) {
  let called;
  const httpClient = new twilio.RequestClient();
  httpClient.request = async ({ uri }) => {
    called = new URL(uri).host;
    return { statusCode: 404, body: { code: 20404, message: "nothing", status: 404 } };
  };
  const client = twilio("AC" + "0".repeat(32), "token", { httpClient });
  client.verify.baseUrl = `https://${host}:8443`;
  await assert.rejects(client.verify.v2.services("VA" + "0".repeat(32)).fetch());
  return called;
}

test("the SDK calls another host for the names that are refused, and no other for those that are accepted", async () => {
  for (const [host, to] of Object.entries(REWRITTEN)) assert.equal(await called(host), `${to}:8443`);
  for (const host of [...KEPT, "localhost", "127.0.0.1"]) assert.equal(await called(host), `${host}:8443`);
});

vaultTest("policy check refuses exactly the names that the SDK rewrites", async (up) => {
  const policy = fs.readFileSync(path.join(up.folder, "vault", "adyton.toml"), "utf8");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "adyton-hosts-"));
  const file = path.join(folder, "adyton.toml");
  const check = (from, to) => {
    assert.match(policy, from);
    fs.writeFileSync(file, policy.replace(from, to));
    const adyton = path.join(process.env.ADYTON_BIN_DIR, "adyton");
    return spawnSync(adyton, ["policy", "check", file], { encoding: "utf8", timeout: 60_000 });
  };
  const own = /^names = .*$/m;
  const places = (name) => [
    [own, `names = ["localhost", "${name}"]`],
    [own, `names = ["localhost"]\npublic_names = ["${name}"]`],
  ];
  try {
    for (const [name, to] of Object.entries(REWRITTEN)) {
      for (const place of places(name)) {
        const { status, stderr } = check(...place);
        assert.equal(status, 1, name);
        assert.ok(stderr.includes(`call ${to} instead of ${name}`), stderr);
      }
    }
    for (const name of KEPT) {
      for (const place of places(name)) {
        const { status, stderr } = check(...place);
        assert.equal(status, 0, `${name}: ${stderr}`);
      }
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
