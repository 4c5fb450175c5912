// The two directories that `oidc` may name: what each needs, that there is one, and which groups it can never answer.
import { expect, test } from "bun:test";
import { describeRefused, edited, load, type Refused, said } from "./samples.ts";

const google_groups = {
  service_account_json_path: "/etc/claude-gateway/google.json",
  admin_email: "admin@example.com",
};
const address = "oidc.google_groups.admin_email → must be the e-mail address of an administrator";
const path = "oidc.google_groups.service_account_json_path";

test("either may be set, and the key file is not read yet", () => {
  const google = load(edited((c) => (c.oidc.google_groups = google_groups)));
  expect(google.config.oidc.google_groups).toEqual(google_groups);
  const entra = load(edited((c) => (c.oidc.entra_groups = {})));
  expect(entra.config.oidc.entra_groups).toEqual({});
});

test("entra_groups has no keys", () => {
  const [first] = said(edited((c) => (c.oidc.entra_groups = { graph_host: "x" })));
  expect(first).toStartWith("oidc.entra_groups.graph_host → unknown key");
});

const objectId = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
const notAnId =
  "must be the object id of a group, in lower case: oidc.entra_groups reads ids from Microsoft Graph";

test("with entra_groups, groups are object ids; without it, they may be anything", () => {
  const naming = (group: string, more: object) =>
    edited((c) => {
      Object.assign(c.oidc, { allowed_groups: [group], ...more });
      c.upstreams[0].groups = [group];
      c.managed = { policies: [{ match: { groups: [group] } }, {}] };
      c.admin = { admin_groups: [group] };
    });
  expect(said(naming(objectId, { entra_groups: {} }))).toEqual([]);
  expect(said(naming("Interns", {}))).toEqual([]);
  expect(said(naming("Interns", { google_groups }))).toEqual([]);
});

describeRefused({
  google_groups: [
    [
      "without a key file",
      (c) => (c.oidc.google_groups = { admin_email: "a@example.com" }),
      `${path} → ${path} is required: the path of a service account's key file`,
    ],
    [
      "without an administrator",
      (c) => (c.oidc.google_groups = { service_account_json_path: "/key.json" }),
      "oidc.google_groups.admin_email → oidc.google_groups.admin_email is required: the e-mail address of an administrator",
    ],
    ...["admin", "admin@", "@example.com", "a b@example.com", "a@b@example.com"].map(
      (admin_email): Refused => [
        `with ${admin_email} as administrator`,
        (c) => (c.oidc.google_groups = { ...google_groups, admin_email }),
        `${address}, got ${JSON.stringify(admin_email)}`,
      ],
    ),
  ],
  entra_groups: [
    [
      "beside google_groups",
      (c) => Object.assign(c.oidc, { google_groups, entra_groups: {} }),
      "oidc.entra_groups → only one of oidc.google_groups and oidc.entra_groups can be set: one directory knows a person's groups",
    ],
    [
      "with groups by name, wherever they stand",
      (c) => {
        Object.assign(c.oidc, { entra_groups: {}, allowed_groups: ["Staff"] });
        c.upstreams[0].groups = [objectId, "Staff"];
        const interns = { match: { groups: ["Interns", objectId, "Temps"] } };
        c.managed = { policies: [interns, {}, { match: { email_domain: "a.example" } }] };
        c.admin = { admin_groups: ["Finance", objectId] };
      },
      `oidc.allowed_groups[0] → ${notAnId}`,
      `upstreams[0].groups[1] → ${notAnId}`,
      `managed.policies[0].match.groups[0] → ${notAnId}`,
      `managed.policies[0].match.groups[2] → ${notAnId}`,
      `admin.admin_groups[0] → ${notAnId}`,
    ],
    ...[
      objectId.toUpperCase(),
      `{${objectId}}`,
      ` ${objectId}`,
      `${objectId}0`,
      objectId.replaceAll("-", ""),
    ].map((group): Refused => [
      `with ${group}, which Microsoft Graph never writes like that`,
      (c) => {
        c.oidc.entra_groups = {};
        c.managed = { policies: [{ match: { groups: [group] } }] };
      },
      `managed.policies[0].match.groups[0] → ${notAnId}`,
    ]),
    [
      "with an empty group, of which nothing more is said",
      (c) => {
        c.oidc.entra_groups = {};
        c.managed = { policies: [{ match: { groups: [""] } }] };
      },
      "managed.policies[0].match.groups[0] → match.groups contains an empty entry — set a group name or remove the entry",
    ],
  ],
});
