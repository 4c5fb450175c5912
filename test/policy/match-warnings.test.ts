// Groups and domains that nobody is ever in, so that whoever was meant falls to another policy: what is said of them at boot.
// Those that stop the boot are in config/directory-groups.test.ts.
import { describe, expect, test } from "bun:test";
import { matchWarnings } from "../../src/policy/match-warnings.ts";
import { edited, load } from "../config/samples.ts";

const directory = { service_account_json_path: "/key.json", admin_email: "admin@example.com" };

function warned(match: object, { google = false } = {}): string[] {
  const { config } = load(
    edited((c) => {
      if (google) c.oidc.google_groups = directory;
      c.managed = { policies: [{ match: { groups: ["a@example.com"] } }, { match }] };
    }),
  );
  return matchWarnings(config);
}
const groupsOf = "managed.policies[1].match.groups";

describe("groups with something around them that nobody sees", () => {
  const line = (place: string, names: string) =>
    `${place}: ${names} with blanks, or characters that are not shown, at an end: names of groups are compared to the letter, so only a group that is spelled like that fits`;

  test.each([" eng", "eng ", "eng\n", "eng\u{a0}", "\u{feff}eng", "eng\u{200b}"])(
    "are named: %j",
    (group) => {
      expect(warned({ groups: ["ops", group] })).toEqual([line(groupsOf, `'${group}'`)]);
    },
  );

  test("are named once for a list, and not all of a long one", () => {
    const groups = Array.from({ length: 25 }, (_, index) => `g${index} `);
    const first = groups.slice(0, 10).map((group) => `'${group}'`);
    expect(warned({ groups })).toEqual([line(groupsOf, `${first.join(", ")} and 15 more`)]);
  });

  test("are cut when they are long", () => {
    expect(warned({ groups: [` ${"x".repeat(5000)}`] })).toEqual([
      line(groupsOf, `' ${"x".repeat(59)}…'`),
    ]);
  });

  test("are named wherever groups stand", () => {
    const { config } = load(
      edited((c) => {
        c.oidc.allowed_groups = ["staff "];
        c.upstreams[0].groups = ["team-a", " team-b"];
        c.admin = { admin_groups: ["finance\u{a0}"] };
      }),
    );
    expect(matchWarnings(config)).toEqual([
      line("oidc.allowed_groups", "'staff '"),
      line("upstreams[0].groups", "' team-b'"),
      line("admin.admin_groups", "'finance\u{a0}'"),
    ]);
  });

  test.each(["Platform Team", "👩\u{200d}💻 devs", "❤\u{fe0f}", "CN=eng,DC=corp"])(
    "are others than %j",
    (group) => {
      expect(warned({ groups: [group] })).toEqual([]);
    },
  );
});

describe("an e-mail domain that no address has", () => {
  const line = (domain: string, fault: string) =>
    `managed.policies[1].match.email_domain: '${domain}' ${fault}, and the domain of an address is compared to the letter: this policy is for nobody`;

  test.each([
    ["corp.example.", "corp.example.", "ends in a dot"],
    ["*.corp.example", "*.corp.example", "begins with a wildcard, of which there is none"],
    ["@*.corp.example", "*.corp.example", "begins with a wildcard, of which there is none"],
    [".corp.example", ".corp.example", "begins with a dot"],
    ["corp\u{200b}.example", "corp\u{200b}.example", "holds characters that are not shown"],
    ["corp.example\u{ad}", "corp.example\u{ad}", "holds characters that are not shown"],
    ["corp\u{fe0f}.example", "corp\u{fe0f}.example", "holds characters that are not shown"],
  ])("is named: %j", (written, domain, fault) => {
    expect(warned({ email_domain: written })).toEqual([line(domain, fault)]);
  });

  test.each(["corp.example", " @Corp.Example ", "xn--mnchen-3ya.example", "münchen.example"])(
    "is another than %j",
    (written) => {
      expect(warned({ email_domain: written })).toEqual([]);
    },
  );
});

describe("with google_groups, groups that are no lower-case addresses", () => {
  const line = (place: string, names: string) =>
    `${place}: ${names}: not an e-mail address in lower case, which is how oidc.google_groups reads groups from Google's directory, so nobody is in it. List groups by their addresses.`;

  test.each(["Interns", "Interns@example.com", "interns@Example.com", "interns@", "a@b@c.example"])(
    "are named: %s",
    (group) => {
      expect(warned({ groups: ["a@example.com", group] }, { google: true })).toEqual([
        line(groupsOf, `'${group}'`),
      ]);
    },
  );

  test("are named wherever groups stand", () => {
    const { config } = load(
      edited((c) => {
        Object.assign(c.oidc, { google_groups: directory, allowed_groups: ["Staff"] });
        c.upstreams[0].groups = ["team-a"];
      }),
    );
    expect(matchWarnings(config)).toEqual([
      line("oidc.allowed_groups", "'Staff'"),
      line("upstreams[0].groups", "'team-a'"),
    ]);
  });

  test("are as good as any without it", () => {
    expect(warned({ groups: ["Interns"] })).toEqual([]);
  });
});
