// The device flow as a client and a browser drive it over HTTP, one step at a time.
import type { Scene } from "./scene.ts";

export const deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code";

export type DeviceCodes = {
  device_code: string;
  user_code: string;
  verification_uri_complete: string;
};
export type Tokens = {
  access_token: string;
  refresh_token?: string;
  token_type: string;
  expires_in: number;
};

export function deviceFlow({ gateway, idp }: Pick<Scene, "gateway" | "idp">) {
  const post = (
    path: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ) =>
    fetch(gateway.url + path, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers,
      redirect: "manual",
    });

  /** Form posts of the verification page, sent as its own. */
  const submit = (path: "/device" | "/device/deny", userCode: string) =>
    post(path, { user_code: userCode }, { "sec-fetch-site": "same-origin" });

  async function begin(): Promise<DeviceCodes> {
    const response = await post("/oauth/device_authorization", { surface: "claude_code" });
    return (await response.json()) as DeviceCodes;
  }

  /** Confirms the code and goes to the IdP; the way back is left to the caller. */
  async function confirm(userCode: string) {
    const confirmed = await submit("/device", userCode);
    const callback = idp.authorize(new URL(confirmed.headers.get("location") ?? ""));
    const cookie = (confirmed.headers.getSetCookie()[0] ?? "").split(";")[0] ?? "";
    return { callback: `${gateway.url}/oauth/callback?${callback.toString()}`, cookie };
  }

  async function comeBack({
    callback,
    cookie,
  }: {
    callback: string;
    cookie: string;
  }): Promise<string> {
    const response = await fetch(callback, { headers: { cookie } });
    return response.text();
  }

  const poll = (deviceCode: string) =>
    post("/oauth/token", { grant_type: deviceGrantType, device_code: deviceCode });
  const refresh = (refreshToken: string) =>
    post("/oauth/token", { grant_type: "refresh_token", refresh_token: refreshToken });

  /** The whole flow. */
  async function signIn(): Promise<Tokens> {
    const codes = await begin();
    await comeBack(await confirm(codes.user_code));
    return (await (await poll(codes.device_code)).json()) as Tokens;
  }

  return { post, submit, begin, confirm, comeBack, poll, refresh, signIn };
}
