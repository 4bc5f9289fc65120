/// Where a request may go.
package struct RouteTarget: Sendable, Equatable, CustomStringConvertible {
    package enum Model: Sendable, Equatable {
        case named(String)
        /// The first by name that is served.
        case anyText, anyImage
    }

    package var model: Model
    /// The beginning of a revision's hash; nil for any.
    package var revision: String?
    /// The target's share among the route's targets.
    package var weight: Double

    package init(_ model: Model, revision: String? = nil, weight: Double = 1) {
        (self.model, self.revision, self.weight) = (model, revision, weight)
    }

    /// `any text model`, `any image model` or a name.
    init(named name: String) {
        switch name {
        case "any text model": self.init(.anyText)
        case "any image model": self.init(.anyImage)
        default: self.init(.named(name))
        }
    }

    package var description: String {
        let name =
            switch model {
            case .named(let name): name
            case .anyText: "any text model"
            case .anyImage: "any image model"
            }
        return name + (revision.map { " revision \($0)" } ?? "")
    }
}

/// What a route allows a request.
package struct RouteLimits: Sendable, Equatable {
    /// Tokens of an answer; a client that asks for more gets these.
    package var maxTokens: Int?
    /// How long a request may take.
    package var timeoutMilliseconds: Int?
    /// Requests of all clients together, per minute.
    package var requestsPerMinute: Int?
}

/// A rule of the routing table: what it asks of a request, and what becomes of it.
package struct Route: Sendable {
    package let name: String
    /// All must hold.
    let conditions: [Condition]
    /// One of them is chosen by weight; empty for the model that the client named.
    let targets: [RouteTarget]
    /// Tried in turn when the chosen one cannot take the request.
    let fallbacks: [RouteTarget]
    let preset: String?
    let filter: String?
    /// The name of a policy of labels.
    let labels: String?
    package let limits: RouteLimits

    /// - Returns: The target of this request: the same for the same user, as long as the weights stay.
    func target(for request: RoutingRequest) -> RouteTarget? {
        guard targets.count > 1 else { return targets.first }
        let total = targets.reduce(0) { $0 + $1.weight }
        let user = request.user.map { Self.fraction(of: "\(name)\u{0}\($0)") }
        var place = (user ?? request.chance ?? .random(in: 0..<1)) * total
        for target in targets {
            if place < target.weight { return target }
            place -= target.weight
        }
        return targets.last
    }

    /// A number in 0..<1 that a text always gives (FNV-1a, 64 bits, mixed as MurmurHash3 finishes).
    private static func fraction(of text: String) -> Double {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        hash ^= hash >> 33
        return Double(hash >> 11) / 9_007_199_254_740_992
    }
}
