// Whether a TCP connection to an endpoint can be made, asked when a request has had no answer for the connect timeout:
// `fetch` does not say if it is still connecting or the server is thinking, and only the former is the worker's fault (Q10).

const PROXY_VARIABLES = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]

/** Behind a proxy the proxy connects, and says so by status; then there is nothing to ask. */
const behindProxy = (host: string): boolean => !isLoopback(host) && PROXY_VARIABLES.some((name) => (process.env[name] ?? "") !== "")

export const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d+){3}$/.test(host)

/** Resolves true when a connection was made within `timeout_ms`, or when it cannot be told. Never rejects. */
export const canConnect = async (url: string, timeout_ms: number): Promise<boolean> => {
  const { hostname, port, protocol } = new URL(url)
  if (behindProxy(hostname)) return true
  const host = hostname.replace(/^\[|\]$/g, "")
  return await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), timeout_ms)
    const settle = (reached: boolean): void => {
      clearTimeout(timer)
      resolve(reached)
    }
    Bun.connect({
      hostname: host, port: Number(port || (protocol === "https:" ? 443 : 80)),
      socket: {
        open: (socket) => {
          settle(true)
          socket.end()
        },
        data: () => {},
        connectError: () => settle(false),
      },
    }).catch(() => settle(false))
  })
}
