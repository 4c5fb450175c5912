// A database that falls silent: who waits for it, who does not, what it is asked meanwhile, and how that ends.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { withBreaker } from "../../src/store/breaker.ts";
import type { Database } from "../../src/store/database.ts";
import { captureLog, type Logged } from "../spend/logged.ts";
import { untilTrue } from "../support/until-true.ts";

let logged: Logged;
beforeEach(() => {
  logged = captureLog();
});
afterEach(() => logged.end());

/** Milliseconds; far enough apart to be told from each other on a machine that has much else to do. */
const bounds = { doubtMs: 100, askMs: 100 };
const silent = "the database does not answer, for 0.2s or longer";

type Statement = { text: string; answer(): void; refuse(): void };

/** A database whose statements wait for the test, behind a breaker that asks on connections of its own. */
function openScene() {
  const statements: Statement[] = [];
  const scene = { abandoned: 0, closed: 0 };
  /** Each has connections of its own, and gives up what is under way on them. */
  function connect(): Database {
    const failures = new Set<(error: Error) => void>();
    return {
      query<Row extends object>(parts: TemplateStringsArray) {
        const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
        failures.add(reject);
        statements.push({
          text: parts.join("?"),
          answer: () => resolve([]),
          refuse: () => reject(new Error("refused")),
        });
        return promise;
      },
      script: () => Promise.reject(new Error("not asked for here")),
      abandon(error) {
        scene.abandoned += 1;
        for (const fail of failures) fail(error);
      },
      close: async () => void (scene.closed += 1),
    };
  }
  const database = withBreaker(connect(), connect(), bounds);
  const all = (text: string) => statements.filter((statement) => statement.text === text);
  return {
    scene,
    close: () => database.close(),
    /** What came of a statement. */
    outcome: () =>
      database.query`insert`.then(
        () => "done",
        (error: Error) => error.message,
      ),
    inserts: () => all("insert"),
    questions: () => all("select 1"),
  };
}

test("a statement that takes long is waited for as long as the database answers something easy", async () => {
  const { scene, outcome, inserts, questions } = openScene();
  const long = outcome();
  for (let asked = 1; asked <= 3; asked += 1) {
    await untilTrue(() => questions().length === asked);
    questions().at(-1)?.answer();
  }
  inserts()[0]?.answer();
  expect(await long).toBe("done");
  await Bun.sleep(2 * bounds.doubtMs);
  expect(questions()).toHaveLength(3);
  expect(scene.abandoned).toBe(0);
  expect(logged.lines()).toEqual([]);
});

test("one that falls silent while a statement takes long is found out", async () => {
  const { outcome, questions } = openScene();
  const long = outcome();
  await untilTrue(() => questions().length === 1);
  questions()[0]?.answer();
  expect(await long).toBe(silent);
});

test("a database that refuses is not silent: its statements fail by themselves", async () => {
  const { scene, outcome, inserts, questions } = openScene();
  const long = outcome();
  await untilTrue(() => questions().length === 1);
  questions()[0]?.refuse();
  await Bun.sleep(10);
  const next = outcome();
  for (const insert of inserts()) insert.refuse();
  expect(await Promise.all([long, next])).toEqual(["refused", "refused"]);
  expect(scene.abandoned).toBe(0);
});

test("a silent one is given up, not asked anything else, and used again as soon as it answers, over new connections", async () => {
  const { scene, outcome, inserts, questions } = openScene();
  expect(await Promise.all([outcome(), outcome()])).toEqual([silent, silent]);
  // Those of the question as well.
  expect(scene.abandoned).toBe(2);
  expect(await outcome()).toBe(silent);
  expect(inserts()).toHaveLength(2);

  // One question at a time, however long the answer takes.
  await untilTrue(() => questions().length === 2);
  await Bun.sleep(3 * bounds.askMs);
  expect(questions()).toHaveLength(2);
  // It took long, so that the next one is needed.
  questions()[1]?.refuse();
  await untilTrue(() => questions().length === 3);
  expect(await outcome()).toBe(silent);
  questions()[2]?.answer();
  await Bun.sleep(10);

  const again = outcome();
  inserts().at(-1)?.answer();
  expect(await again).toBe("done");
  expect(inserts()).toHaveLength(3);
});

test("the operator reads that it fell silent, and that it answers", async () => {
  const { outcome, questions } = openScene();
  await Promise.all([outcome(), outcome(), outcome()]);
  expect(logged.lines()).toEqual([
    "warn no answer from the database for 0.2s: it is not waited for until it answers again",
  ]);
  await untilTrue(() => questions().length === 2);
  questions()[1]?.answer();
  await Bun.sleep(10);
  expect(logged.lines()).toEqual(["info the database answers again"]);
});

test("an answer to a statement that was given up is dropped", async () => {
  const { outcome, inserts } = openScene();
  expect(await outcome()).toBe(silent);
  inserts()[0]?.answer();
  await Bun.sleep(0);
  expect(await outcome()).toBe(silent);
});

test("both sets of connections are closed", async () => {
  const { scene, close } = openScene();
  await close();
  expect(scene.closed).toBe(2);
});
