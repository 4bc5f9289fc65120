package import PromptRouting

/// The routing table in force, and the files behind it.
package typealias RoutingSource = ConfigurationSource<RoutingTable>

extension RoutingTable: FileConfiguration {
    package var summary: String { "\(routes.count) routes, \(presets.count) presets" }
}

extension ConfigurationSource where Value == RoutingTable {
    /// - Parameter file: nil for the standard table alone.
    /// - Throws: `ConfigurationError` for a file that is not as it should be.
    package convenience init(file: String?) throws {
        if let file {
            self.init("routes", try RoutingTable(file: file)) { try RoutingTable(file: file) }
        } else {
            self.init("routes", try RoutingTable.standard(), read: nil)
        }
    }
}
