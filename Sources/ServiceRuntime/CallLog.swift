import Logging
package import RPC

/// Says of each call that comes in, at level debug, which request it belongs to: no text of it.
package struct CallLog: ServerInterceptor {
    private let logger: Logger

    package init(label: String) { logger = Logger(label: label) }

    package func admit(_ context: ServerContext) {
        guard logger.logLevel <= .debug else { return }
        var metadata: Logger.Metadata = ["method": "\(context.method)"]
        for name in ["x-request-id", "traceparent"] {
            if let value = context.metadata[name] { metadata[name] = "\(value)" }
        }
        logger.debug("call", metadata: metadata)
    }
}
