/**
 * The whole shop for one file of tests: Redis, the binary with its own PostgreSQL, a proxy that can break, a browser.
 * Nothing in it is a stand-in.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Browser, chromium } from "playwright-core";
import postgres from "postgres";
import { Caller } from "./caller";
import { type Leashed, leash } from "./leash";
import { BreakableProxy } from "./proxy";

const ROOT = resolve(import.meta.dirname, "../../..");
export const LOGS = join(ROOT, "target/test-logs/browser");
const ADMIN = { email: "owner@example.org", password: "correct horse battery" };
const START_MAX_MS = 60_000;

export interface Shop {
  name: string;
  /** Where browsers find it: behind the proxy. */
  origin: string;
  proxy: BreakableProxy;
  browser: Browser;
  sql: postgres.Sql;
  owner: Caller;
  /** A shopper who exists, known to the API only. */
  newShopper(): Promise<Caller>;
  close(): Promise<void>;
}

interface ShopOptions {
  rateLimits?: "on" | "off";
}

// vitest was killed: its process of this file has nobody to report to. Ending it ends what it holds.
process.once("disconnect", () => process.exit(1));

/** @param name of the logs */
export async function openShop(name: string, { rateLimits = "off" }: ShopOptions = {}): Promise<Shop> {
  mkdirSync(LOGS, { recursive: true });
  const [redisPort, port] = [await freePort(), await freePort()];
  const dataDir = mkdtempSync(join(tmpdir(), "flashsale-browser-"));
  // As root the database runs under another account, which has to get here.
  chmodSync(dataDir, 0o755);
  const redis = leash(
    ["redis-server", "--port", `${redisPort}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    { log: join(LOGS, `${name}-redis.log`) },
  );
  const log = join(LOGS, `${name}-shop.log`);
  const env = {
    DATA_DIR: dataDir,
    DEMO: "0",
    DATABASE_URL: "",
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    BIND_ADDR: `127.0.0.1:${port}`,
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    RATE_LIMITS: rateLimits,
  };
  const binary = leash([findBinary(), "dev"], { env, log, removes: dataDir });
  const [browser] = await Promise.all([launchBrowser(), untilReady(`http://127.0.0.1:${port}`, binary, log)]);

  const sql = postgres(readFileSync(join(dataDir, "database.url"), "utf8"), { max: 4, onnotice: () => undefined });
  const proxy = await BreakableProxy.start(port);
  const direct = `http://127.0.0.1:${port}`;
  let shoppers = 0;
  return {
    name,
    origin: `http://127.0.0.1:${proxy.port}`,
    proxy,
    browser,
    sql,
    owner: await Caller.signIn(direct, ADMIN.email, ADMIN.password),
    newShopper: () => Caller.signUp(direct, `shopper-${++shoppers}@example.org`, "correct horse"),
    close: async () => {
      await browser.close();
      await Promise.all([proxy.close(), sql.end({ timeout: 1 })]);
      await Promise.all([binary.stop(), redis.stop()]);
    },
  };
}

function findBinary(): string {
  const target = resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target");
  const binary = process.env.FLASHSALE_BIN ?? join(target, "debug/flashsale");
  if (!existsSync(binary)) {
    throw new Error(`${binary} is missing: run scripts/test-browser.sh, which builds it, or set FLASHSALE_BIN`);
  }
  return binary;
}

async function untilReady(url: string, binary: Leashed, log: string): Promise<void> {
  const deadline = Date.now() + START_MAX_MS;
  while (
    !(await fetch(`${url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    ))
  ) {
    if (!binary.isRunning() || Date.now() > deadline) {
      throw new Error(`the shop did not start, see ${log}:\n${readFileSync(log, "utf8").slice(-2000)}`);
    }
    await new Promise((again) => setTimeout(again, 50));
  }
}

function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

function findChromium(): string {
  const wanted = process.env.CHROMIUM_BIN;
  if (wanted) {
    return wanted;
  }
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("/bin/sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // The next name, then.
    }
  }
  throw new Error("Chromium is missing: install it (Debian: apt-get install chromium) or set CHROMIUM_BIN");
}

function freePort(): Promise<number> {
  return new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => found(port));
    });
  });
}
