// What the shapes of `admin:` and `enforcement:` cannot say: that keys are told apart by name, that a list of groups names some,
// and that settings of spend have an `admin:` block that makes spend count. A rule passes over what does not have its shape.
import { type Finding, type Path, when } from "./problems.ts";
import type { Partly } from "./pieces.ts";
import type { Written } from "./schema.ts";

type Settings = Pick<Partly<Written>, "admin" | "enforcement" | "store">;

/** The lists of keys, in the order in which a key is looked for in them. */
export const keyLists = ["write_keys", "read_keys"] as const;

/** Settings of spend outside of `admin:`, and the value that they have anyway: that one may be written down. */
const needAdmin: readonly {
  path: Path;
  isSet: (settings: Settings) => boolean;
  why: string;
}[] = [
  {
    path: ["enforcement", "fail_closed_on_error"],
    isSet: ({ enforcement }) => enforcement?.fail_closed_on_error === true,
    why: "spend enforcement only runs when admin is configured",
  },
  {
    path: ["enforcement", "reserve"],
    isSet: ({ enforcement }) => enforcement?.reserve === false,
    why: "spend enforcement only runs when admin is configured",
  },
  {
    path: ["store", "journal"],
    isSet: ({ store }) => store?.journal !== undefined,
    why: "spend, which is what the journal keeps, is only counted when admin is configured",
  },
];

/** Every broken rule. */
export function checkAdmin(settings: Settings): Finding[] {
  const { admin } = settings;
  return [
    ...repeatedIds(admin),
    ...(admin?.admin_groups ?? []).flatMap((group, index) =>
      when(
        group === "",
        ["admin", "admin_groups", index],
        "admin.admin_groups contains an empty entry — it names no group, so it makes nobody an admin, or whoever has a group without a name; set a group name or remove the entry",
      ),
    ),
    // A block that does not have its shape is there all the same.
    ...needAdmin.flatMap(({ path, isSet, why }) =>
      when(
        !("admin" in settings) && isSet(settings),
        path,
        `has no effect without an admin: block — ${why}`,
      ),
    ),
  ];
}

/** Names of keys that were given before, in either list: the trail says by them who changed a cap. */
function repeatedIds(admin: Settings["admin"]): Finding[] {
  const known = new Set<string>();
  return keyLists.flatMap((list) =>
    (admin?.[list] ?? []).flatMap((entry, index) => {
      const id = entry?.id;
      if (id === undefined) return [];
      const isRepeated = known.has(id);
      known.add(id);
      return when(
        isRepeated,
        ["admin", list, index, "id"],
        `admin key id '${id}' is repeated; key ids must be unique for audit attribution`,
      );
    }),
  );
}
