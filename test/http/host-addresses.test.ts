// How long an answer of the DNS serves, and what happens when the next one is another, a forbidden one, or none.
import { expect, test } from "bun:test";
import { EgressBlockedError } from "../../src/http/address-rules.ts";
import { createHostAddresses, type HostAddressesOptions } from "../../src/http/host-addresses.ts";
import { rejection } from "../support/idp.ts";

const second = 1_000;
const minute = 60 * second;

/** Addresses over a DNS and a clock that the test sets. */
function scene(options: Partial<HostAddressesOptions> = {}) {
  const dns = { answer: ["10.0.0.1"] as string[] | Error, lookUps: 0 };
  const clock = { ms: 1_000_000 };
  const addresses = createHostAddresses({
    allowLoopback: false,
    now: () => clock.ms,
    resolve: async () => {
      dns.lookUps += 1;
      if (dns.answer instanceof Error) throw dns.answer;
      return dns.answer;
    },
    ...options,
  });
  return { dns, clock, addresses, ask: async () => addresses.of("api.example", 443) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("private networks are where a company's IdP may well be", async () => {
  const { dns, ask } = scene();
  dns.answer = ["10.0.0.1", "fd12::1", "192.168.1.1"];
  expect(await ask()).toEqual(dns.answer);
});

test("requests that come together, and within half a minute, share one look-up", async () => {
  const { dns, clock, ask } = scene();
  await Promise.all([ask(), ask(), ask()]);
  clock.ms += 29 * second;
  await ask();
  expect(dns.lookUps).toBe(1);
});

test("an older answer still serves while the name is looked up again, and then the new one does", async () => {
  const { dns, clock, ask } = scene();
  await ask();
  dns.answer = ["10.0.0.2"];
  clock.ms += 31 * second;
  expect(await ask()).toEqual(["10.0.0.1"]);
  await settled();
  expect(await ask()).toEqual(["10.0.0.2"]);
});

test("after five minutes the next answer is waited for", async () => {
  const { dns, clock, ask } = scene();
  await ask();
  dns.answer = ["10.0.0.2"];
  clock.ms += 6 * minute;
  expect(await ask()).toEqual(["10.0.0.2"]);
});

test("a DNS that is away for less than an hour stops nobody, and one that is away for longer does", async () => {
  const { dns, clock, ask } = scene();
  await ask();
  dns.answer = new Error("EAI_AGAIN");
  clock.ms += 59 * minute;
  expect(await ask()).toEqual(["10.0.0.1"]);
  clock.ms += 2 * minute;
  expect((await rejection(ask())).message).toBe("EAI_AGAIN");
});

test("a name that comes to lead to a forbidden place is refused from then on", async () => {
  const { dns, clock, ask } = scene();
  await ask();
  dns.answer = ["10.0.0.1", "169.254.169.254"];
  clock.ms += 31 * second;
  await ask();
  await settled();
  expect(await rejection(ask())).toBeInstanceOf(EgressBlockedError);
});

test("a clock that is set back does not keep an answer for longer", async () => {
  const { dns, clock, ask } = scene();
  await ask();
  clock.ms -= 10 * minute;
  await ask();
  expect(dns.lookUps).toBe(2);
});

test("an address where nobody answers goes behind the others, and the name is looked up again", async () => {
  const { dns, addresses, ask } = scene();
  dns.answer = ["10.0.0.1", "10.0.0.2"];
  await ask();
  addresses.failed("api.example", 443, "10.0.0.1");
  expect(await ask()).toEqual(["10.0.0.2", "10.0.0.1"]);
  expect(dns.lookUps).toBe(2);
});

test("of several addresses the one that is preferred goes first", async () => {
  const { dns, ask } = scene({ prefer: async (addresses) => addresses[1] });
  dns.answer = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
  expect(await ask()).toEqual(["10.0.0.2", "10.0.0.1", "10.0.0.3"]);
});

test("none is preferred, nor connected to, where it is a proxy that connects", async () => {
  let probes = 0;
  const prefer = async () => String((probes += 1));
  const { dns, addresses } = scene({ prefer });
  dns.answer = ["10.0.0.1", "10.0.0.2"];
  expect(await addresses.of("api.example", 443, () => false)).toEqual(dns.answer);
  expect(probes).toBe(0);
});

test("no more than a thousand hosts are kept", async () => {
  const { dns, addresses, ask } = scene();
  await ask();
  for (let count = 0; count < 1_000; count += 1) await addresses.of(`${count}.example`, 443);
  await ask();
  expect(dns.lookUps).toBe(1_002);
});

test("a name without addresses is an error that says so", async () => {
  const { dns, ask } = scene();
  dns.answer = [];
  expect((await rejection(ask())).message).toBe("ENOTFOUND: api.example has no address");
});
