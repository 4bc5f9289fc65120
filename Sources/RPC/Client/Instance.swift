package import Messages

/// One server instance, as a client sees it now.
package struct Instance: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case ready
        /// Finishes its calls and takes no new ones: it said so, or its address is gone.
        case draining
        /// Its engine does not come out of a step.
        case stuck
    }

    package let address: String
    package var description: ServiceDescription
    /// As of its last PONG.
    package var load: LoadReport
    package var state: State
    /// Cost of the calls that this client has started since `load` was reported.
    package var startedSinceReport = 0

    package var id: String { description.instanceID }

    /// Work for each unit of capacity: what balancing compares.
    package var pressure: Double {
        Double(load.outstanding + load.runningCalls + startedSinceReport) / Double(max(1, load.capacity))
    }
}

/// How one call is made.
package struct CallOptions: Sendable {
    /// Until the reply is complete; `nil`: as long as it takes.
    package var timeout: Duration?
    package var metadata = Metadata()
    package var attachments: [Attachment] = []
    /// This instance and no other.
    package var instanceID: String?
    /// Only instances with this numerics id.
    package var numericsID: String?
    /// Only instances that pass, e.g. those with a certain model.
    package var filter: (@Sendable (ServiceDescription) -> Bool)?
    /// Equal keys go to the same instance while its load allows it.
    package var affinity: [UInt8]?
    /// Units of work that the call saves there: it may have so much more to do than others.
    package var affinityWorth = 0
    /// Without a suitable instance: wait for one, or fail at once.
    package var waitsForReady = true
    /// How long to wait for one at most.
    package var readyTimeout: Duration = .seconds(10)
    /// Units of work that the call brings, for balancing until the next load report.
    package var cost = 1

    package init(
        timeout: Duration? = nil, metadata: Metadata = Metadata(), attachments: [Attachment] = [],
        instanceID: String? = nil, filter: (@Sendable (ServiceDescription) -> Bool)? = nil
    ) {
        self.timeout = timeout
        self.metadata = metadata
        self.attachments = attachments
        self.instanceID = instanceID
        self.filter = filter
    }

    /// Whether any ready instance will do.
    var isUnconditional: Bool { instanceID == nil && numericsID == nil && filter == nil && affinity == nil }

    func accepts(_ description: ServiceDescription) -> Bool {
        if let instanceID, instanceID != description.instanceID { return false }
        if let numericsID, !description.models.contains(where: { $0.numericsID == numericsID }) { return false }
        return filter?(description) ?? true
    }
}

/// Chooses among ready instances.
enum Balancer {
    /// Power of two choices: of two at random, the one with less work for its capacity.
    static func choose<Generator: RandomNumberGenerator>(
        _ candidates: [Int], _ pressure: (Int) -> Double, using generator: inout Generator
    ) -> Int? {
        guard candidates.count > 1 else { return candidates.first }
        let first = Int.random(in: 0..<candidates.count, using: &generator)
        var second = Int.random(in: 0..<(candidates.count - 1), using: &generator)
        if second >= first { second += 1 }
        let (a, b) = (candidates[first], candidates[second])
        return pressure(a) <= pressure(b) ? a : b
    }

    /// The highest rendezvous hash whose pressure is at most 1.25 × the mean plus `slack`.
    static func choose(
        _ candidates: [Int], affinity: [UInt8], slack: Double = 1, id: (Int) -> String, _ pressure: (Int) -> Double
    ) -> Int? {
        guard !candidates.isEmpty else { return nil }
        let bound = candidates.reduce(0.0) { $0 + pressure($1) } / Double(candidates.count) * 1.25 + slack
        return candidates.filter { pressure($0) <= bound }.max { hash(affinity, id($0)) < hash(affinity, id($1)) }
    }

    /// FNV-1a over both, then mixed (the finaliser of MurmurHash3): the same in every process.
    static func hash(_ key: [UInt8], _ id: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }
}
