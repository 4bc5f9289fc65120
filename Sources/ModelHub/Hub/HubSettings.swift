internal import Foundation

/// Where the hub is, where its files are kept, and who asks: the variables that `huggingface_hub` reads, with its meaning.
package struct HubSettings: Sendable {
    /// Without a slash at its end.
    package var endpoint = "https://huggingface.co"
    /// nil to ask as nobody. It never shows in a message.
    var token: String?
    /// The hub's cache folder.
    package var cache: String
    /// Whether the network is not to be used.
    package var isOffline = false
    var proxies: ProxySettings
    /// A file of certificates that are trusted in the place of the system's.
    var certificates: String?
    /// Before something is tried again.
    package var firstPause: Duration = .milliseconds(500)
    /// Seconds without a byte after which a connection counts as broken.
    package var silence = 60
    /// Bytes that are asked for at a time; a larger file comes in several such ranges side by side.
    package var rangeSize = 8 << 20

    package init(cache: String, endpoint: String, token: String? = nil) {
        (self.cache, self.endpoint, self.token) = (cache, endpoint, token)
        proxies = ProxySettings([:])
    }

    /// - Parameter environment: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN_PATH`, `HF_HUB_OFFLINE`,
    ///   their older names, and the proxies'.
    /// - Throws: `HubError` for a variable that cannot be used.
    package init(environment: [String: String]) throws(HubError) {
        func value(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        func path(_ text: String) -> String {
            text.hasPrefix("~/") ? (environment["HOME"] ?? "") + text.dropFirst() : text
        }
        if let text = value("HF_ENDPOINT") {
            guard let url = URLComponents(string: text), ["http", "https"].contains(url.scheme), url.host != nil else {
                throw HubError(.invalidName, "HF_ENDPOINT is '\(text)'; give the hub's address, https://…")
            }
            endpoint = text
        }
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        let home =
            value("HF_HOME").map(path)
            ?? (value("XDG_CACHE_HOME").map(path) ?? (environment["HOME"] ?? "") + "/.cache") + "/huggingface"
        cache = value("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE").map(path) ?? home + "/hub"
        isOffline = ["1", "on", "yes", "true"].contains(
            value("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")?.lowercased() ?? "")
        let file = value("HF_TOKEN_PATH").map(path) ?? home + "/token"
        let given = value("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
        let written = given == nil ? FileManager.default.contents(atPath: file) : nil
        let token = (given ?? String(decoding: written ?? Data(), as: UTF8.self)).trimmingCharacters(
            in: .whitespacesAndNewlines)
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw HubError(
                .invalidName, "the token in \(given == nil ? file : "HF_TOKEN") holds what no token holds; log in anew")
        }
        self.token = token.isEmpty ? nil : token
        proxies = ProxySettings(environment)
        certificates = value("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    }
}
