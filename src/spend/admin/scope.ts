// For whom a cap is, as the admin API reads and writes it.

/** A scope, with the id of the one person or group where it is for one. */
export type ScopeObject = { type: string; user_id?: string; rbac_group_id?: string };

/** The field that names whom a cap is for, where one is needed. */
export const scopeIdFields: Readonly<Record<string, "user_id" | "rbac_group_id">> = {
  user: "user_id",
  rbac_group: "rbac_group_id",
};

/** @param id empty for a type that is for everybody */
export function scopeObject(type: string, id: string): ScopeObject {
  const field = scopeIdFields[type];
  return field === undefined ? { type } : { type, [field]: id };
}
