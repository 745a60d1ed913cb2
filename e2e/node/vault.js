"use strict";
// A vault for the tests: the release binaries, started by `adyton up` as a user would.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const test = require("node:test");
const twilio = require("twilio");

const BINARIES = process.env.ADYTON_BIN_DIR;
const PATIENCE = 60_000;
const NUMBER = "+12025550123";

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** One run of `adyton up`. */
class Up {
  constructor(policy) {
    assert.ok(BINARIES, "ADYTON_BIN_DIR names the folder of the release binaries");
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "adyton-e2e-"));
    const changes = policy.flatMap((change) => ["--set", change]);
    const place = ["--data", path.join(this.folder, "vault"), "--listen", "127.0.0.1:0"];
    this.process = spawn(path.join(BINARIES, "adyton"), ["up", "--json", ...place, ...changes], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.ended = new Promise((resolve) => this.process.once("close", resolve));
  }

  async untilReady() {
    const lines = readline.createInterface({ input: this.process.stdout });
    const first = new Promise((resolve) => lines.once("line", resolve));
    const line = await within(Promise.race([first, this.ended]), "adyton up");
    assert.equal(typeof line, "string", "adyton up ended before it was ready");
    this.ready = JSON.parse(line);
  }

  /** The official SDK, unmodified but for its base URL. */
  client(authToken = this.ready.auth_token, accountSid = this.ready.account_sid) {
    // The SDK's own variable. NODE_EXTRA_CA_CERTS, which a user sets as well, is read when a process starts.
    process.env.TWILIO_CA_BUNDLE = this.ready.ca;
    const client = twilio(accountSid, authToken);
    client.verify.baseUrl = this.ready.api;
    return client;
  }

  verify() {
    return this.client().verify.v2.services(this.ready.service_sid);
  }

  /** What the phone got for an address, newest first, once `count` messages are there. */
  async messages(to, count = 1) {
    const query = new URLSearchParams({ to });
    for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await sleep(20)) {
      const answer = await fetch(`${this.ready.phone}/messages?${query}`, { signal: AbortSignal.timeout(10_000) });
      const found = await answer.json();
      if (found.length >= count) return found;
    }
    throw new Error(`no message ${count} for the address in time`);
  }

  /** The newest code on the phone. */
  async code(to, count = 1) {
    const [newest] = await this.messages(to, count);
    return newest.body.match(/(?<!\d)\d{4,10}(?!\d)/)[0];
  }

  async stop() {
    this.process.kill("SIGTERM");
    try {
      return await within(this.ended, "stopping adyton up");
    } finally {
      this.process.kill("SIGKILL");
      fs.rmSync(this.folder, { recursive: true });
    }
  }
}

/** Waits, but not for ever. */
async function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not done in time`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A test with a vault of its own, whose policy has these keys and values. */
function vaultTest(name, run, policy = []) {
  test(name, { timeout: 4 * PATIENCE }, async () => {
    const up = new Up(policy);
    try {
      await up.untilReady();
      await run(up);
    } finally {
      await up.stop();
    }
  });
}

/** That the vault refuses with this status and code; with `details`, if they are given, and with none else. */
async function refuses(promise, status, code, details) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof twilio.RestException, String(error));
    assert.deepEqual({ status: error.status, code: error.code }, { status, code }, error.message);
    assert.deepEqual(error.details, details);
    assert.match(error.moreInfo, new RegExp(`^https://.*/${code}$`));
    return true;
  });
}

/** Another code of the same length. */
const wrong = (code) => (code[0] === "0" ? "1" : "0") + code.slice(1);

module.exports = { NUMBER, refuses, vaultTest, within, wrong };
