// One service and one site for all tests that break neither.
import type { TestProject } from "vitest/node";
import { Service } from "../scripts/service.mjs";
import { serveSite } from "./site.js";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const service = await Service.start();
  const site = await serveSite();
  project.provide("site", site.url);
  project.provide("service", service.url);
  return async () => {
    await service.end();
    await site.end();
  };
}

declare module "vitest" {
  interface ProvidedContext {
    site: string;
    service: string;
  }
}
