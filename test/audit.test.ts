// Who is told of audit events beside the log.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { audit, type AuditEvent, observeAudit } from "../src/audit.ts";
import { captureLog, type Logged } from "./spend/logged.ts";

const event: AuditEvent = { evt: "config.load", path: "gateway.yaml", sha256: "0" };

let logged: Logged;
const ends: (() => void)[] = [];
/** Observes until the end of the test. */
const observe = (observer: (event: AuditEvent) => void) => {
  const end = observeAudit(observer);
  ends.push(end);
  return end;
};

beforeEach(() => {
  logged = captureLog();
});
afterEach(() => {
  for (const end of ends.splice(0)) end();
  logged.end();
});

test("every observer is told of every event, which is written as before", () => {
  const told: [string, AuditEvent][] = [];
  observe((heard) => told.push(["first", heard]));
  observe((heard) => told.push(["second", heard]));
  audit(event);
  expect(told).toEqual([
    ["first", event],
    ["second", event],
  ]);
  expect(logged.events()).toEqual([event]);
});

test("an observer hears nothing from before it came, and nothing once it has ended", () => {
  const told: AuditEvent[] = [];
  audit(event);
  const end = observe((heard) => told.push(heard));
  audit(event);
  end();
  audit(event);
  expect(told).toEqual([event]);
});

test("one that came twice is told twice, and ends one by one", () => {
  const told: AuditEvent[] = [];
  const observer = (heard: AuditEvent) => void told.push(heard);
  const end = observe(observer);
  observe(observer);
  audit(event);
  expect(told).toHaveLength(2);
  end();
  audit(event);
  expect(told).toHaveLength(3);
});

test("one that throws hurts neither the others nor whoever is audited, and is logged", () => {
  const told: AuditEvent[] = [];
  observe(() => {
    throw new Error("it broke");
  });
  observe((heard) => told.push(heard));
  audit(event);
  expect(told).toEqual([event]);
  expect(logged.events()).toEqual([event]);
  expect(logged.lines()).toEqual([
    "error an observer of audit events failed at config.load: it broke",
  ]);
});
