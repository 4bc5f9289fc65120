/// What is wrong with the files that the gateway reads again when they change; nil where nothing is.
struct ConfigurationFaults: Sendable {
    let routing: RoutingSource
    let labels: LabelSource
    let certificates: CertificateSource?

    /// By what the file is.
    var all: [(file: String, fault: String?)] {
        [("routes", routing.fault), ("labels", labels.fault), ("certificates", certificates?.fault)]
    }
}
