"use strict";
// Verifications: create, fetch, update; and their checks.

const assert = require("node:assert/strict");
const { NUMBER, refuses, vaultTest, wrong } = require("./vault.js");

const PERSON = "Jo.Doe@example.com";
const VE = /^VE[0-9a-f]{32}$/;

vaultTest("a code is sent, resent and approved, with every field that the SDK reads", async (up) => {
  const verify = up.verify();
  const started = await verify.verifications.create({ to: NUMBER, channel: "sms" });
  assert.match(started.sid, VE);
  const { dateCreated, dateUpdated, sendCodeAttempts, ...rest } = started.toJSON();
  const shared = {
    sid: started.sid,
    serviceSid: up.ready.service_sid,
    accountSid: up.ready.account_sid,
    to: NUMBER,
    channel: "sms",
    amount: null,
    payee: null,
  };
  const url = `${up.ready.api}/v2/Services/${up.ready.service_sid}/Verifications/${started.sid}`;
  assert.deepEqual(rest, { ...shared, status: "pending", valid: false, lookup: {}, sna: null, url });
  assert.ok(dateCreated instanceof Date && dateCreated <= dateUpdated);
  assert.equal(sendCodeAttempts.length, 1);
  assert.equal(sendCodeAttempts[0].channel, "SMS");
  assert.match(sendCodeAttempts[0].attempt_sid, /^VL[0-9a-f]{32}$/);
  assert.match(sendCodeAttempts[0].time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const fetched = (await verify.verifications(started.sid).fetch()).toJSON();
  // What became of the attempt may be known by now.
  assert.ok(["unknown", "accepted"].includes(fetched.sendCodeAttempts[0].outcome));
  fetched.sendCodeAttempts[0].outcome = "unknown";
  assert.deepEqual(fetched, started.toJSON());
  assert.equal((await verify.verifications(NUMBER).fetch()).sid, started.sid, "the address stands for the SID");

  const code = await up.code(NUMBER);
  assert.match(code, /^\d{6}$/);
  const again = await verify.verifications.create({ to: NUMBER, channel: "sms" });
  assert.deepEqual([again.sid, again.sendCodeAttempts.length], [started.sid, 2]);
  assert.equal(await up.code(NUMBER, 2), code, "a resend repeats the code");

  const miss = await verify.verificationChecks.create({ to: NUMBER, code: wrong(code) });
  assert.deepEqual([miss.status, miss.valid], ["pending", false]);
  const check = await verify.verificationChecks.create({ to: NUMBER, code });
  const { dateCreated: _, dateUpdated: __, ...checked } = check.toJSON();
  assert.deepEqual(checked, { ...shared, status: "approved", valid: true, snaAttemptsErrorCodes: [] });

  // Whoever knows the SID knows of the verification, so they may know why it is over; an address says nothing.
  await refuses(verify.verificationChecks.create({ to: NUMBER, code }), 404, 20404);
  await refuses(verify.verifications(NUMBER).fetch(), 404, 20404);
  const over = [404, 20404, { reason: "approved" }];
  await refuses(verify.verificationChecks.create({ verificationSid: started.sid, code }), ...over);
  await refuses(verify.verifications(started.sid).fetch(), ...over);
  await refuses(verify.verifications(started.sid).update({ status: "canceled" }), ...over);
});

vaultTest("an e-mail carries a code, and its address stands for the SID", async (up) => {
  const verify = up.verify();
  const started = await verify.verifications.create({ to: PERSON, channel: "email", locale: "de" });
  assert.deepEqual([started.to, started.channel, started.sendCodeAttempts[0].channel], [PERSON, "email", "EMAIL"]);
  assert.equal((await verify.verifications(PERSON).fetch()).sid, started.sid);
  const check = await verify.verificationChecks.create({ verificationSid: started.sid, code: await up.code(PERSON) });
  assert.deepEqual([check.status, check.valid, check.to], ["approved", true, PERSON]);
});

vaultTest("a verification is canceled, by its SID and by its address", async (up) => {
  const verify = up.verify();
  const first = await verify.verifications.create({ to: NUMBER, channel: "sms" });
  const canceled = await verify.verifications(first.sid).update({ status: "canceled" });
  assert.deepEqual([canceled.sid, canceled.status, canceled.valid], [first.sid, "canceled", false]);
  await refuses(verify.verifications(first.sid).fetch(), 404, 20404, { reason: "canceled" });
  const code = await up.code(NUMBER);
  const late = verify.verificationChecks.create({ verificationSid: first.sid, code });
  await refuses(late, 404, 20404, { reason: "canceled" });

  const second = await verify.verifications.create({ to: NUMBER, channel: "sms" });
  assert.notEqual(second.sid, first.sid);
  assert.equal((await verify.verifications(NUMBER).update({ status: "canceled" })).sid, second.sid);
  await refuses(verify.verifications(NUMBER).update({ status: "canceled" }), 404, 20404);
  await refuses(verify.verifications(second.sid).update({ status: "approved" }), 403, 60204);
  await refuses(verify.verifications(second.sid).update({ status: "deleted" }), 400, 60200);
});

vaultTest("the sixth sending is refused", async (up) => {
  const verify = up.verify();
  const create = () => verify.verifications.create({ to: NUMBER, channel: "sms" });
  for (let count = 1; count <= 5; count++) assert.equal((await create()).sendCodeAttempts.length, count);
  await refuses(create(), 429, 60203);
});

vaultTest("the sixth check is refused, even with the right code", async (up) => {
  const verify = up.verify();
  const { sid } = await verify.verifications.create({ to: NUMBER, channel: "sms" });
  const code = await up.code(NUMBER);
  for (let count = 1; count <= 5; count++) {
    const check = await verify.verificationChecks.create({ to: NUMBER, code: wrong(code) });
    assert.deepEqual([check.status, check.valid], ["pending", false]);
  }
  await refuses(verify.verificationChecks.create({ to: NUMBER, code }), 429, 60202);
  await refuses(verify.verificationChecks.create({ verificationSid: sid, code }), 429, 60202);
});

vaultTest("what a verification may not be is refused", async (up) => {
  const client = up.client();
  // The SDK's own way to send a parameter that it does not know.
  const data = { FriendlyName: "Acme", AppHashes: "He42w354ol9" };
  const made = await client.request({ method: "post", uri: `${up.ready.api}/v2/Services`, data });
  const verify = client.verify.v2.services(made.body.sid);
  const create = (options) => verify.verifications.create({ to: NUMBER, channel: "sms", ...options });
  await refuses(create({ to: "12025550123" }), 400, 60200);
  await refuses(create({ to: "nobody@", channel: "email" }), 400, 60200);
  await refuses(create({ channel: "carrier-pigeon" }), 400, 60200);
  await refuses(create({ channel: "call" }), 403, 60204);
  await refuses(create({ to: "+4915112345678" }), 403, 60605);
  await refuses(create({ customCode: "123456" }), 403, 60204);
  await refuses(create({ rateLimits: { ip: "192.0.2.1" } }), 403, 60204);
  await refuses(create({ channelConfiguration: { from: "a@example.com" } }), 403, 60204);
  await refuses(create({ amount: "5", payee: "Acme" }), 403, 60204);
  await refuses(create({ locale: "it" }), 400, 60200);
  await refuses(create({ tags: '{"a":"b"}' }), 403, 60204);
  await refuses(create({ riskCheck: "enable" }), 403, 60204);
  await refuses(create({ deviceIp: "192.0.2.1" }), 403, 60204);
  await refuses(create({ appHash: "AAAAAAAAAAA" }), 400, 60200);
  await create({ customFriendlyName: "Acme", locale: "fr", appHash: "He42w354ol9", tags: "{}", rateLimits: {} });
  const sent = await up.messages(NUMBER);
  assert.equal(sent.length, 1, "nothing was sent for what was refused");
  assert.match(sent[0].body, /^<#> Votre code pour Acme: \d{6}\nHe42w354ol9$/);
});

vaultTest("what a check may not be is refused", async (up) => {
  const check = (options) => up.verify().verificationChecks.create(options);
  await refuses(check({ code: "123456" }), 400, 60221);
  await refuses(check({ to: NUMBER }), 400, 60200);
  await refuses(check({ to: NUMBER, code: "12 456" }), 400, 60200);
  await refuses(check({ to: NUMBER, code: "１２３４５６" }), 400, 60200);
  await refuses(check({ to: NUMBER, code: "123" }), 400, 60200);
  await refuses(check({ to: NUMBER, code: "123456" }), 404, 20404);
  await refuses(check({ verificationSid: "VE123", code: "123456" }), 400, 60200);
  await refuses(check({ verificationSid: "VE" + "0".repeat(32), code: "123456" }), 404, 20404);
});

vaultTest("a stranger is refused alike, whatever they ask for", async (up) => {
  const token = "0".repeat(32);
  for (const client of [up.client(token), up.client(token, "AC" + "0".repeat(32))]) {
    const services = client.verify.v2.services;
    for (const service of [services(up.ready.service_sid), services("VA" + "0".repeat(32))]) {
      await refuses(service.fetch(), 401, 20003);
      await refuses(service.verifications.create({ to: NUMBER, channel: "sms" }), 401, 20003);
      await refuses(service.verificationChecks.create({ to: NUMBER, code: "123456" }), 401, 20003);
    }
    await refuses(services.list(), 401, 20003);
  }
});
