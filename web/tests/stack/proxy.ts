/**
 * What stands between browser and shop and can break: a TCP proxy that loses answers, holds them back, or refuses
 * connections. It reads the request lines that pass, no more.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

const REQUEST_LINE = /^([A-Z]+ \S+) HTTP\/1\.1\r\n/;

interface Link {
  client: Socket;
  /** The request under way on it. */
  line: string;
  answer: "passes" | "is lost" | "is held";
  held: Buffer[];
}

interface Fault {
  line: string;
  kind: "is lost" | "is held";
  happened: () => void;
}

export class BreakableProxy {
  private readonly links = new Set<Link>();
  private isDown = false;
  private fault: Fault | null = null;

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on("connection", (client) => this.accept(client));
  }

  static async start(target: number): Promise<BreakableProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new BreakableProxy(server, target);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Connections that a request of this beginning is open on. */
  open(line: string): number {
    return [...this.links].filter((link) => link.line.startsWith(line)).length;
  }

  /** Breaks every connection and refuses new ones, until restored. */
  goDown(): void {
    this.isDown = true;
    for (const { client } of this.links) {
      client.resetAndDestroy();
    }
  }

  restore(): void {
    this.isDown = false;
    this.fault = null;
    for (const link of this.links) {
      this.passHeld(link);
    }
  }

  /** Lets the next such request through, loses its answer and goes down in that moment. Resolves when it has happened. */
  loseAnswerTo(line: string): Promise<void> {
    return new Promise((happened) => {
      this.fault = { line, kind: "is lost", happened };
    });
  }

  /** Lets the next such request through and holds its answer back until restored. Resolves when the answer is here. */
  holdAnswerTo(line: string): Promise<void> {
    return new Promise((happened) => {
      this.fault = { line, kind: "is held", happened };
    });
  }

  async close(): Promise<void> {
    this.goDown();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    client.on("error", () => undefined);
    if (this.isDown) {
      client.resetAndDestroy();
      return;
    }
    const shop = connect(this.target, "127.0.0.1");
    const link: Link = { client, line: "", answer: "passes", held: [] };
    this.links.add(link);
    client.on("data", (bytes) => {
      this.readRequest(link, bytes);
      shop.write(bytes);
    });
    shop.on("data", (bytes) => this.answer(link, bytes));
    shop.on("error", () => client.destroy());
    shop.on("end", () => client.end());
    client.on("close", () => {
      this.links.delete(link);
      shop.destroy();
    });
  }

  private readRequest(link: Link, bytes: Buffer): void {
    const line = REQUEST_LINE.exec(bytes.toString("latin1", 0, 500))?.[1];
    if (line) {
      link.line = line;
      link.answer = this.fault && line.startsWith(this.fault.line) ? this.fault.kind : "passes";
    }
  }

  private answer(link: Link, bytes: Buffer): void {
    if (link.answer === "passes") {
      link.client.write(bytes);
      return;
    }
    const fault = this.fault;
    this.fault = null;
    link.held.push(bytes);
    if (link.answer === "is lost") {
      this.goDown();
    }
    fault?.happened();
  }

  private passHeld(link: Link): void {
    link.answer = "passes";
    for (const bytes of link.held.splice(0)) {
      link.client.write(bytes);
    }
  }
}
