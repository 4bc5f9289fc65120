import Messages
import Observability
package import RPC

/// What ties the calls of one request together, in this process and in those that it calls.
package struct RequestTrace: Sendable {
    let requestID: String
    let context: TraceContext

    @TaskLocal static var current: RequestTrace?

    /// Adds it to every call: `x-request-id` and W3C's `traceparent`, a span for each call.
    package struct Propagation: ClientInterceptor {
        package init() {}

        package func prepare(_ method: String, _ options: inout CallOptions) {
            guard let trace = RequestTrace.current else { return }
            options.metadata["x-request-id"] = trace.requestID
            options.metadata["traceparent"] = trace.context.child().header
        }
    }
}
