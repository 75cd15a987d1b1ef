// Types of what the preload scripts give the example's page.

/// <reference types="../../preload" />

interface Window {
  readonly app: { tryAgain(): Promise<unknown> };
}
