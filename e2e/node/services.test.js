"use strict";
// Services: create, list, fetch, update, delete.

const assert = require("node:assert/strict");
const { NUMBER, refuses, vaultTest } = require("./vault.js");

const VA = /^VA[0-9a-f]{32}$/;
const UNKNOWN = "VA" + "0".repeat(32);

vaultTest("a service has every field that the SDK reads", async (up) => {
  const services = up.client().verify.v2.services;
  const made = await services.create({ friendlyName: "Bank", codeLength: 8, doNotShareWarningEnabled: true });
  assert.match(made.sid, VA);
  const url = `${up.ready.api}/v2/Services/${made.sid}`;
  const { dateCreated, dateUpdated, ...rest } = made.toJSON();
  assert.deepEqual(rest, {
    sid: made.sid,
    accountSid: up.ready.account_sid,
    friendlyName: "Bank",
    codeLength: 8,
    lookupEnabled: false,
    psd2Enabled: false,
    skipSmsToLandlines: false,
    dtmfInputRequired: false,
    ttsName: null,
    doNotShareWarningEnabled: true,
    customCodeEnabled: false,
    push: { include_date: false, apn_credential_sid: null, fcm_credential_sid: null },
    totp: { issuer: "Bank", time_step: 30, code_length: 6, skew: 1 },
    defaultTemplateSid: null,
    whatsapp: { msg_service_sid: null, from: null },
    passkeys: {
      relying_party: { id: null, name: null, origins: [] },
      authenticator_attachment: null,
      discoverable_credentials: null,
      user_verification: null,
    },
    verifyEventSubscriptionEnabled: false,
    url,
    links: { verifications: `${url}/Verifications`, verification_checks: `${url}/VerificationCheck` },
  });
  assert.ok(dateCreated instanceof Date && !Number.isNaN(dateCreated.valueOf()));
  assert.deepEqual(dateUpdated, dateCreated);
  assert.deepEqual((await services(made.sid).fetch()).toJSON(), made.toJSON());
});

vaultTest("a service is updated, used and deleted", async (up) => {
  const services = up.client().verify.v2.services;
  const { sid } = await services.create({ friendlyName: "Bank" });
  const updated = await services(sid).update({ friendlyName: "Other", codeLength: 10 });
  assert.deepEqual([updated.friendlyName, updated.codeLength], ["Other", 10]);
  await services(sid).verifications.create({ to: NUMBER, channel: "sms" });
  assert.match(await up.code(NUMBER), /^\d{10}$/);
  assert.equal(await services(sid).remove(), true);
  await refuses(services(sid).fetch(), 404, 20404);
  await refuses(services(sid).update({ friendlyName: "Again" }), 404, 20404);
  await refuses(services(sid).remove(), 404, 20404);
  await refuses(services(sid).verifications.create({ to: NUMBER, channel: "sms" }), 404, 20404);
});

vaultTest("pages are followed to the end, and only here", async (up) => {
  const services = up.client().verify.v2.services;
  const sids = [up.ready.service_sid];
  for (let count = 0; count < 6; count++) sids.push((await services.create({ friendlyName: `Service ${count}` })).sid);
  sids.sort();
  const sorted = (found) => found.map((service) => service.sid).sort();

  assert.deepEqual(sorted(await services.list()), sids);
  assert.deepEqual(sorted(await services.list({ pageSize: 1 })), sids);
  assert.deepEqual(sorted(await services.list({ pageSize: 7 })), sids);
  assert.equal((await services.list({ pageSize: 2, limit: 5 })).length, 5);

  const each = [];
  await new Promise((done, failed) => {
    const end = (error) => (error ? failed(error) : done());
    services.each({ pageSize: 3, callback: (service) => each.push(service), done: end });
  });
  assert.deepEqual(sorted(each), sids);

  const pages = [];
  for (let page = await services.page({ pageSize: 3 }); page; page = await page.nextPage()) {
    pages.push(page.instances);
    if (page.nextPageUrl) assert.ok(page.nextPageUrl.startsWith(`${up.ready.api}/v2/Services?`), page.nextPageUrl);
    assert.equal(page.previousPageUrl, undefined);
  }
  assert.deepEqual(pages.map((page) => page.length), [3, 3, 1]);
  assert.deepEqual(sorted(pages.flat()), sids);

  const second = (await services.page({ pageSize: 3 })).nextPageUrl;
  assert.deepEqual(sorted((await services.getPage(second)).instances), sorted(pages[1]));
  const pageToken = new URL(second).searchParams.get("PageToken");
  assert.deepEqual(sorted((await services.page({ pageSize: 3, pageToken })).instances), sorted(pages[1]));
});

vaultTest("pages that cannot be are refused", async (up) => {
  const services = up.client().verify.v2.services;
  assert.equal((await services.page({ pageSize: 1000 })).instances.length, 1);
  await refuses(services.page({ pageSize: 1001 }), 400, 60200);
  await refuses(services.page({ pageSize: -1 }), 400, 60200);
  await refuses(services.page({ pageToken: "elsewhere" }), 400, 60200);
});

vaultTest("what a service may not be is refused", async (up) => {
  const services = up.client().verify.v2.services;
  const create = (options) => services.create({ friendlyName: "Bank", ...options });
  await refuses(create({ friendlyName: "" }), 400, 60200);
  await refuses(create({ friendlyName: "go to evil.example" }), 400, 60200);
  await refuses(create({ codeLength: 4 }), 400, 60200);
  await refuses(create({ codeLength: 11 }), 400, 60200);
  await refuses(create({ lookupEnabled: true }), 403, 60204);
  await refuses(create({ psd2Enabled: true }), 403, 60204);
  await refuses(create({ customCodeEnabled: true }), 403, 60204);
  await refuses(create({ "totp.skew": 2 }), 403, 60204);
  assert.equal((await create({ lookupEnabled: false, psd2Enabled: false })).lookupEnabled, false);

  const { sid } = await create({ codeLength: 8 });
  await refuses(services(sid).update({ codeLength: 6 }), 403, 20403);
  await refuses(services(sid).update({ customCodeEnabled: true }), 403, 60204);
  await refuses(services(UNKNOWN).fetch(), 404, 20404);
  await refuses(services("nonsense").fetch(), 404, 20404);
});

vaultTest("a list is whole however it is asked for", async (up) => {
  const services = up.client().verify.v2.services;
  for (let number = 0; number < 60; number += 1) {
    await services.create({ friendlyName: `Service ${number}` });
  }
  const sids = async (options) => (await services.list(options)).map((service) => service.sid);
  const everything = await sids({});
  assert.equal(new Set(everything).size, 61);
  for (const options of [{ pageSize: 1000 }, { pageSize: 17 }, { limit: 61 }, { limit: 1000 }]) {
    assert.deepEqual(await sids(options), everything, JSON.stringify(options));
  }
  assert.deepEqual(await sids({ limit: 40, pageSize: 16 }), everything.slice(0, 40));
});
