import Accounts
import ContentFilter
import ContentLabels
import Hummingbird
import Messages
import NIOCore
import RPC

/// What belongs to one request on its way through the gateway.
struct RequestScope: Sendable {
    var deadline: ContinuousClock.Instant
    /// The client's connection; nil where the gateway asks itself.
    let channel: (any Channel)?
    let trace: RequestTrace
    let record: RequestRecord
    /// Whom the request is billed to; nil where the gateway has no accounts, or the route bills nobody.
    let caller: Caller?
    /// The owner of the key that came with it; nil where the gateway has no accounts.
    let account: Account?
    /// The policy that the route or the gateway sets; nil for none.
    var filter: ContentFilter?
    /// What the client calls prompts that have much in common; nil for what they begin with.
    var cacheKey: String?
    /// Which labels the answer carries: the route's, or the gateway's.
    var labels = LabelPolicy.standard
    /// Whether the user wrote in Chinese.
    var speaksChinese = false

    /// - Parameter endpoint: the path, as the API's documents name it.
    /// - Throws: `APIError` for a malformed header, and for a client without a valid key.
    init(
        _ request: Request, _ kind: RequestKind, of context: GatewayContext, to endpoint: String, _ keys: Authenticator
    ) async throws {
        channel = context.channel
        deadline = kind.hasDeadline ? try RequestDeadline.of(request) : RequestDeadline.standard
        trace = RequestTrace.current ?? RequestTrace(of: request)
        record = RequestRecord(endpoint: endpoint, keepsText: keys.accounts?.isRecording ?? false)
        caller = kind.role == .user ? try await keys.caller(of: request, context) : nil
        account = kind.role == .user ? caller?.account : try await keys.account(of: request, role: kind.role)
    }

    /// Of work that the gateway does for a client who does not wait for it.
    ///
    /// - Parameters:
    ///   - endpoint: where the client asked for it.
    ///   - digest: of the client's key; nil where the gateway has no accounts.
    /// - Throws: `APIError` where the key opens nothing any more.
    init(
        to endpoint: String, keyDigest digest: String?, until deadline: ContinuousClock.Instant, _ keys: Authenticator
    ) async throws {
        (channel, self.deadline) = (nil, deadline)
        trace = RequestTrace.current ?? .new
        record = RequestRecord(endpoint: endpoint, keepsText: keys.accounts?.isRecording ?? false)
        caller = try await keys.caller(digest: digest)
        account = caller?.account
    }

    /// The same request with no more time than a route allows.
    func limited(toMilliseconds limit: Int?) -> RequestScope {
        var scope = self
        if let limit { scope.deadline = min(deadline, .now + .milliseconds(limit)) }
        return scope
    }
}
