"use strict";
// The README's lines, as they stand there.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { vaultTest, within } = require("./vault.js");

// A `.js` without a package.json is taken for what it is from 20.19 and 22.7 on.
const [major, minor] = process.versions.node.split(".").map(Number);
const detects = major > 22 || (major === 22 && minor >= 7) || (major === 20 && minor >= 19);

for (const name of detects ? ["send.mjs", "send.js"] : ["send.mjs"]) {
  vaultTest(`the README's lines, saved as ${name}, send a code and check it`, (up) => sends(up, name));
}

async function sends(up, name) {
  const readme = fs.readFileSync(path.join(__dirname, "../../README.md"), "utf8");
  const [, lines] = readme.match(/^```js\n(.*?)^```$/ms);
  assert.ok(lines.includes("https://127.0.0.1:8443"));
  const { account_sid, auth_token, service_sid, api, ca } = up.ready;
  const values = JSON.stringify({ account_sid, auth_token, service_sid });
  const program = `const { account_sid, auth_token, service_sid } = ${values};\n${lines.replace("https://127.0.0.1:8443", api)}`;
  // As the reader saves it: in a folder that has the package and no package.json.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "adyton-readme-"));
  // Where `import` looks; NODE_PATH is for `require` alone.
  const packages = path.dirname(path.dirname(require.resolve("twilio/package.json")));
  fs.symlinkSync(packages, path.join(folder, "node_modules"));
  fs.writeFileSync(path.join(folder, name), program);
  const { TWILIO_CA_BUNDLE, ...environment } = process.env;
  const child = spawn(process.execPath, [name], {
    cwd: folder,
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
    fs.rmSync(folder, { recursive: true });
  }
}
