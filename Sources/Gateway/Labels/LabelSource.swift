package import ContentLabels

/// The label policies in force, and the files behind them.
package typealias LabelSource = ConfigurationSource<LabelSet>

extension LabelSet: FileConfiguration {
    package var summary: String { "\(watermarkKeys.count) watermark keys" }
}

extension ConfigurationSource where Value == LabelSet {
    /// Metadata in pictures, and nothing else.
    package static var standard: LabelSource { LabelSource("labels", LabelSet(), read: nil) }

    /// - Parameter choice: `default`, `off` or the path of a YAML file.
    /// - Throws: `ConfigurationError` for a file that is not as it should be.
    package convenience init(labels choice: String = "default") throws {
        let labels = try LabelSet(choice)
        if labels.files.isEmpty {
            self.init("labels", labels, read: nil)
        } else {
            self.init("labels", labels) { try LabelSet(choice) }
        }
    }
}

extension LabelSource {
    /// - Throws: `APIError` for a name without a policy: nothing goes out unlabelled because of a typing error.
    func policy(named name: String?) throws -> LabelPolicy {
        guard let policy = current.policy(named: name) else {
            throw APIError(
                status: .internalServerError,
                message: "The label policy '\(name ?? "")' of the route is not among the gateway's policies.",
                type: "server_error", code: "labels_not_found")
        }
        return policy
    }
}
