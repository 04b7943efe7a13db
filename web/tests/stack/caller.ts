/** Somebody who uses the API without a browser: the owner who sets up sales, and the crowd that takes the units. */
import type { Schemas } from "@/lib/api/client";

export type Sale = Schemas["SaleView"];

export interface Answer<T> {
  status: number;
  body: T;
}

export interface SalePlan {
  name?: string;
  description?: string;
  price_in_cents?: number;
  quantity?: number;
  /** Seconds from now; negative: before. */
  startsIn?: number;
  endsIn?: number;
}

const fromNow = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

export class Caller {
  private constructor(
    private readonly base: string,
    readonly email: string,
    readonly password: string,
    readonly userId: string,
    private readonly token: string,
  ) {}

  static async signUp(base: string, email: string, password: string): Promise<Caller> {
    await insist(base, "/users", { email, password });
    return Caller.signIn(base, email, password);
  }

  static async signIn(base: string, email: string, password: string): Promise<Caller> {
    const session = await insist<{ token: string; user_id: string }>(base, "/users/authenticate", { email, password });
    return new Caller(base, email, password, session.user_id, session.token);
  }

  async get<T>(path: string): Promise<Answer<T>> {
    const answer = await fetch(this.base + path, { headers: { authorization: `Bearer ${this.token}` } });
    return { status: answer.status, body: (await answer.json()) as T };
  }

  async post<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
    return post(this.base, path, body, { authorization: `Bearer ${this.token}`, ...headers });
  }

  /** Posts what must work. */
  async must<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
    const answer = await this.post<T>(path, body, headers);
    if (answer.status >= 300) {
      throw new Error(`POST ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  /** Buys a unit and waits until it is settled. */
  buy(sale: Sale): Promise<{ order_id: string; status: string }> {
    return this.must("/orders", { product_id: sale.product_id }, { prefer: "wait=5" });
  }

  createSale(plan: SalePlan = {}): Promise<Sale> {
    const { startsIn = -60, endsIn = 3600, ...rest } = plan;
    return this.must("/sales", {
      name: "Aurora desk lamp",
      description: "Hand-blown glass, warm light.",
      price_in_cents: 4900,
      quantity: 10,
      start_date: fromNow(startsIn),
      end_date: fromNow(endsIn),
      ...rest,
    });
  }

  setQuantity(sale: Sale, quantity: number): Promise<Sale> {
    return this.must("/sales/update", { flash_sale_id: sale.flash_sale_id, quantity });
  }

  endSale(sale: Sale): Promise<Sale> {
    return this.must("/sales/end", { flash_sale_id: sale.flash_sale_id });
  }
}

async function post<T>(
  base: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  const answer = await fetch(base + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as T };
}

/** Posts until the answer is not "too many requests": all tests come from one address. */
async function insist<T>(base: string, path: string, body: unknown): Promise<T> {
  for (;;) {
    const answer = await post<T>(base, path, body);
    if (answer.status < 300) {
      return answer.body;
    }
    if (answer.status !== 429) {
      throw new Error(`POST ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    await new Promise((again) => setTimeout(again, 200));
  }
}
