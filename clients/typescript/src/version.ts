/** The package's version, which is the service's own. */
export const VERSION = "0.1.0";

/** What either side may not know of the other; null when both are of one age. */
export function mismatch(service: string, baseUrl: string): string | null {
  const age = (version: string): string => version.split(".").slice(0, 2).join(".");
  if (service === "" || age(service) === age(VERSION)) return null;
  return (
    `this client is ${VERSION}, and the service at ${baseUrl} is ${service}: what one of them does not know ` +
    `fails. Install ghostcast@${service}, or update the service.`
  );
}
