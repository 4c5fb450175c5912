// POST /oauth/device_authorization (RFC 8628 §3.1): hands a client its codes. Any form is accepted and unknown parameters are
// ignored (RFC 6749 §3.2), so that clients may learn new ones before we do.
import { audit } from "../audit.ts";
import { oauthError, oauthJson } from "../http/refusal.ts";
import { readForm } from "../http/request.ts";
import type { Handler } from "../http/router.ts";
import { type DeviceGrants, deviceCodeTtlSeconds, pollIntervalSeconds } from "./device.ts";
import type { PublicBase } from "./origin.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Answers 200 with the codes, or 429 `slow_down` past rate_limits.device_authorization. Throws when the store fails. */
export function createDeviceAuthorization(deps: {
  grants: DeviceGrants;
  rateLimit: RateLimit;
  base: PublicBase;
  loginNotice: string | undefined;
}): Handler {
  return async ({ request, requestId, clientIp, receivedAt }) => {
    const who = { request_id: requestId, client_ip: clientIp };
    if (!(await deps.rateLimit.admits(clientIp))) {
      audit({ evt: "device.authorize", result: "rate_limited", ...who });
      const description =
        "Too many sign-in attempts came from your network, which other people may share.";
      return oauthError(429, "slow_down", description);
    }
    const surface = surfaceOf(await readForm(request));
    const { deviceCode, userCode } = await deps.grants.start({
      surface,
      requestedFrom: clientIp,
      requestedAt: receivedAt,
    });
    audit({ evt: "device.authorize", result: "success", surface, ...who });
    const verificationUri = `${deps.base.of(request)}/device`;
    return oauthJson(200, {
      device_code: deviceCode,
      user_code: userCode,
      verification_uri: verificationUri,
      verification_uri_complete: `${verificationUri}?user_code=${userCode}`,
      expires_in: deviceCodeTtlSeconds,
      interval: pollIntervalSeconds,
      ...(deps.loginNotice !== undefined && { login_notice: deps.loginNotice }),
    });
  };
}

/** The application that asks, by its stable identifier. Anything that is not one could be a message to the person who reads it. */
function surfaceOf(form: URLSearchParams): string | undefined {
  const surface = form.get("surface");
  return surface !== null && /^[A-Za-z0-9_.-]{1,64}$/.test(surface) ? surface : undefined;
}
