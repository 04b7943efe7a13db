/**
 * Processes that cannot outlive the tests. Each is held by a shell that ends it as soon as our end of the shell's stdin
 * closes: when we say so, and just as well when we are killed. They are in groups of their own, so that a ctrl-c ends the
 * tests, and these by that.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";

const LEASH = `
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{ read -r _ <&3; kill -TERM "$child"; } 2>/dev/null &
watch=$!
wait "$child"
status=$?
kill "$watch" 2>/dev/null
[ -z "$LEASH_REMOVES" ] || rm -rf -- "$LEASH_REMOVES"
exit $status
`;

/** Longer than the binary gives its last requests. */
const STOP_MAX_MS = 20_000;

export interface Leashed {
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
  isRunning(): boolean;
}

interface LeashOptions {
  env?: Record<string, string>;
  /** Where its output goes. */
  log: string;
  /** A folder to delete when it has ended. */
  removes?: string;
}

export function leash(command: readonly string[], { env = {}, log, removes = "" }: LeashOptions): Leashed {
  const output = openSync(log, "a");
  const child = spawn("/bin/sh", ["-c", LEASH, "leash", ...command], {
    detached: true,
    env: { ...process.env, ...env, LEASH_REMOVES: removes },
    stdio: ["pipe", output, output],
  });
  child.stdin?.on("error", () => undefined);
  return {
    isRunning: () => child.exitCode === null && child.signalCode === null,
    stop: () => stop(child),
  };
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    const overdue = setTimeout(() => child.pid && process.kill(-child.pid, "SIGKILL"), STOP_MAX_MS);
    child.once("exit", () => {
      clearTimeout(overdue);
      resolve();
    });
    child.stdin?.end();
  });
}
