"use strict";
// The README's lines, as they stand there.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { vaultTest, within } = require("./vault.js");

vaultTest("the README's lines send a code and check it", async (up) => {
  const readme = fs.readFileSync(path.join(__dirname, "../../README.md"), "utf8");
  const [, lines] = readme.match(/^```js\n(.*?)^```$/ms);
  assert.ok(lines.includes("https://127.0.0.1:8443"));
  const { account_sid, auth_token, service_sid, api, ca } = up.ready;
  const values = JSON.stringify({ account_sid, auth_token, service_sid });
  const program = `const { account_sid, auth_token, service_sid } = ${values};
    (async () => { ${lines.replace("https://127.0.0.1:8443", api)} })();`;
  const { TWILIO_CA_BUNDLE, ...environment } = process.env;
  const child = spawn(process.execPath, ["--eval", program], {
    cwd: __dirname,
    env: { ...environment, NODE_EXTRA_CA_CERTS: ca },
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.stdin.end(`${await up.code("+12025550123")}\n`);
    assert.equal(await within(ended, "the README's lines"), 0);
    assert.match(said, /approved\n$/);
  } finally {
    child.kill("SIGKILL");
  }
});
