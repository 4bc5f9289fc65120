/// `GET /admin/status`: every instance as the gateway sees it.
struct StatusResponse: Encodable {
    struct Instance: Encodable {
        var service: String
        var address: String
        var instance_id: String
        var models: [String]
        /// The first model's revision; `retiring` ones come after it.
        var revision: String
        /// Revisions that other ones have replaced, and that still finish their calls.
        var retiring_revisions: [String]
        /// The layers of a text model that the instance has: `0-11`.
        var layers: String?
        /// `ready`, `draining`, …
        var state: String
        /// Tokens or denoising steps accepted and not done.
        var outstanding: Int
        var running_calls: Int
        var capacity: Int
        /// Sequences that wait in a text engine, and the part of its cache that is held, 0 to 1.
        var waiting: Int?
        var cache_use: Double?
        /// Steps that the engine has finished since it started.
        var steps: UInt64
        /// Calls that were given up while they ran: their callers went, or their deadlines passed.
        var cancelled_calls: Int
    }

    /// The load of all instances of a service together, for an autoscaler.
    struct Service: Encodable {
        var instances = 0
        var running_calls = 0
        var outstanding = 0
        var capacity = 0
    }

    /// The gateway's requests since it started.
    struct Requests: Encodable {
        /// Requests under way now.
        var running: Int
        /// Requests whose client went before the answer was complete.
        var cancelled: Int
        /// Requests that were refused at once: they would not have met their deadline, or the gateway was full.
        var refused: Int
        /// Calls that went on on another instance after they had lost theirs.
        var migrated_calls: Int
        /// Calls that failed because they lost their instances again and again.
        var given_up_calls: Int
    }

    /// How often a rule of the content filter took effect.
    struct FilterCount: Encodable {
        var policy: String
        var rule: String
        /// `flag`, `redact` or `block`.
        var action: String
        /// `in`, `out` or `image`.
        var direction: String
        var count: Int
    }

    var requests: Requests
    var filter: [FilterCount]
    /// What is wrong with the file of routes, so that an older one is in force; nil where nothing is.
    var routes_fault: String?
    /// What is wrong with the file of labels.
    var labels_fault: String?
    /// What is wrong with the certificate and key of HTTPS.
    var certificates_fault: String?
    var instances: [Instance]
    /// By the service's name, for later shards with their layers: `text-shard-6-11`.
    var services: [String: Service]

    init(
        requests: Requests, faults: ConfigurationFaults, filter: [FilterCount],
        instances: [Instance]
    ) {
        (routes_fault, labels_fault) = (faults.routing.fault, faults.labels.fault)
        certificates_fault = faults.certificates?.fault
        self.filter = filter
        self.requests = requests
        self.instances = instances
        services = [:]
        for instance in instances where instance.state == "ready" {
            let isShard = instance.service == "text-shard"
            let name = instance.service + (isShard ? instance.layers.map { "-\($0)" } ?? "" : "")
            services[name, default: Service()].instances += 1
            services[name, default: Service()].running_calls += instance.running_calls
            services[name, default: Service()].outstanding += instance.outstanding
            services[name, default: Service()].capacity += instance.capacity
        }
    }
}
