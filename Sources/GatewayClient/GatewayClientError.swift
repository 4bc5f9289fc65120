import Foundation

/// What went wrong between a client and its gateway.
package struct GatewayClientError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// Nothing answers at the address.
        case unreachable
        /// The gateway answered with an error.
        case refused
        /// The answer is not what a gateway says.
        case malformed
    }

    package var code: Code
    package var message: String
    /// The HTTP status of a refusal.
    package var status: Int?

    package var description: String { message }

    package init(code: Code, message: String, status: Int? = nil) {
        (self.code, self.message, self.status) = (code, message, status)
    }

    /// Reads OpenAI's error object.
    static func refusal(status: Int, body: Data) -> GatewayClientError {
        struct Body: Decodable {
            struct Detail: Decodable { var message: String }
            var error: Detail
        }
        let message = (try? JSONDecoder().decode(Body.self, from: body))?.error.message
        return GatewayClientError(
            code: .refused, message: message ?? "the gateway answered with HTTP status \(status)", status: status)
    }
}
