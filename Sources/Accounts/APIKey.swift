internal import Crypto
internal import Foundation

/// The secret that a client sends, and what is kept of it.
package struct APIKey: Sendable {
    /// `nph-` and 32 random bytes in base64url: nobody guesses it, so a plain digest keeps it.
    package let secret: String

    package init() {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        secret =
            "nph-"
            + Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }

    /// What the store knows a key by: SHA-256 of its bytes, in hex.
    package static func digest(of secret: String) -> String {
        SHA256.hash(data: Data(secret.utf8)).map { byte in
            let hex = String(byte, radix: 16)
            return hex.count == 1 ? "0" + hex : hex
        }.joined()
    }

    /// The beginning of a secret, for lists: it tells keys apart and opens nothing.
    package var hint: String { String(secret.prefix(10)) + "…" }
}
