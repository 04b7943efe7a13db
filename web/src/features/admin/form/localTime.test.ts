/** Moments and the reader's wall clock, in zones on both sides of the server's. */
import { afterEach, describe, expect, it } from "vitest";
import { fromLocalInput, toLocalInput } from "./localTime";

const zoneBefore = process.env.TZ;

afterEach(() => {
  process.env.TZ = zoneBefore;
});

describe.each(["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Auckland"])(
  "in %s",
  (zone) => {
    it.each(["2026-01-15T09:30:00Z", "2026-07-15T23:59:59Z", "2027-12-31T23:00:00Z"])("%s comes back", (text) => {
      process.env.TZ = zone;
      expect(fromLocalInput(toLocalInput(Date.parse(text)))).toBe(Date.parse(text));
    });
  },
);

describe("datetime-local", () => {
  it("shows the reader's clock, seconds only when there are any", () => {
    process.env.TZ = "Europe/Berlin";
    expect(toLocalInput(Date.parse("2026-07-01T10:00:00Z"))).toBe("2026-07-01T12:00");
    expect(toLocalInput(Date.parse("2026-01-01T10:00:07Z"))).toBe("2026-01-01T11:00:07");
  });

  it("moves on what a change of summer time skips, and takes the first of what comes twice", () => {
    process.env.TZ = "Europe/Berlin";
    expect(fromLocalInput("2026-03-29T02:30")).toBe(Date.parse("2026-03-29T01:30:00Z"));
    expect(fromLocalInput("2026-10-25T02:30")).toBe(Date.parse("2026-10-25T00:30:00Z"));
  });

  it.each(["", "2026-01-01", "10:00", "2026-13-01T10:00"])("has no moment for %j", (text) => {
    expect(fromLocalInput(text)).toBeNull();
  });
});
