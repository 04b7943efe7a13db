/**
 * The typed client of our own API, generated from its OpenAPI document (`npm run api`). Every failure is a Problem: what
 * the server said, or that it could not be reached.
 */
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Sale = Schemas["SaleView"];
export type Sales = Schemas["SalesView"];

/** Longer than the server's own deadlines: it answers first. */
const REQUEST_TIMEOUT_MS = 20_000;
const REPORT_TIMEOUT_MS = 120_000;

/** A request that was refused or did not arrive. */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    /** The HTTP status; 0 when no answer came. */
    readonly status: number,
    /** The word of the problem; `unreachable` when no answer came. */
    readonly code: string,
    message: string,
    /** How long the server asks to wait before the next try. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }

  /** The field that an `invalid_request` names ("email: must look like …"). */
  get field(): string | null {
    return this.code === "invalid_request" ? (/^([a-z_]+): /.exec(this.message)?.[1] ?? null) : null;
  }
}

/** Fetches without the HTTP cache: a kept answer has the server's time of then. */
async function fetchFresh(request: Request): Promise<Response> {
  // One controller by hand: AbortSignal.any is younger than the browsers that some people have.
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const timer = setTimeout(end, isReport(request) ? REPORT_TIMEOUT_MS : REQUEST_TIMEOUT_MS);
  request.signal.addEventListener("abort", end);
  try {
    if (request.signal.aborted) {
      end();
    }
    return await fetch(new Request(request, { cache: "no-store", signal: ending.signal }));
  } catch (error) {
    if (request.signal.aborted) {
      throw error;
    }
    throw unreachable();
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener("abort", end);
  }
}

/** A report may read millions of orders. */
const isReport = (request: Request): boolean => new URL(request.url).pathname.endsWith("/report");

function unreachable(): Problem {
  return new Problem(0, "unreachable", "The shop cannot be reached");
}

export const api = createClient<paths>({ baseUrl: globalThis.location?.origin ?? "", fetch: fetchFresh });

/** What openapi-fetch answers. */
interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * The data of an answer.
 *
 * @throws {Problem} when the server refused, or answered something that is not of this API.
 */
export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) {
    return data as T;
  }
  throw toProblem(response, error);
}

/** The problem of an answer that is not 2xx. */
export function toProblem(response: Response, error: unknown): Problem {
  const body = typeof error === "object" && error !== null ? (error as Partial<Schemas["ProblemBody"]>) : {};
  const seconds = Number(response.headers.get("retry-after"));
  return new Problem(
    response.status,
    body.code ?? (response.status >= 500 ? "unavailable" : "refused"),
    body.error ?? response.statusText,
    Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null,
  );
}
