import Logging
package import RPC

/// Logs the method and request id of each incoming call, at level debug. It logs no text of the request.
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
