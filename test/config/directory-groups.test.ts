// The two directories that `oidc` may name: what each needs, and that there is one.
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
  ],
});
