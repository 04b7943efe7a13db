/** The last resort: a screen that broke says so, until another one is shown. What is bought is on the server. */
import { Component, type ReactNode } from "react";
import { BrokenPage } from "@/components/EmptyPages";

interface ErrorBoundaryProps {
  /** Where the reader is: another place is another try. */
  place: string;
  children: ReactNode;
}

export class ErrorBoundary extends Component<ErrorBoundaryProps, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError(): { isBroken: boolean } {
    return { isBroken: true };
  }

  override componentDidUpdate(before: ErrorBoundaryProps): void {
    if (before.place !== this.props.place && this.state.isBroken) {
      this.setState({ isBroken: false });
    }
  }

  override render(): ReactNode {
    return this.state.isBroken ? <BrokenPage /> : this.props.children;
  }
}
