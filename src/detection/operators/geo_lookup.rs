//! `@geoLookup`: where in the world an address is.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::{Reader, geoip2};

use super::{Fault, Kind, Matcher, Operator, Scope, address, country};

pub(super) const OPERATOR: Operator = Operator {
    name: "geoLookup",
    aliases: &[],
    doc: "The database of `SecGeoLookupDb` has the address that the value is; what it knows is then in `GEO`.",
    kind: Kind::Compiled(|argument| Ok(Box::new(Lookup(argument.geo.cloned())))),
};

/// A database in MaxMind's format (`.mmdb`) of countries or cities.
pub struct GeoDatabase(Reader<Vec<u8>>);

/// Members of `GEO` and their values.
type Place = Vec<(&'static str, Vec<u8>)>;

impl GeoDatabase {
    /// Reads a database.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Fault> {
        Reader::from_source(bytes).map(Self).map_err(|error| {
            let help = Some("use a database in MaxMind's format (`.mmdb`)".to_owned());
            Fault { help, ..Fault::new(format!("no database of places: {error}")) }
        })
    }

    /// What is known of an address; none if nothing is, or if that part of the database is broken.
    fn place(&self, address: IpAddr) -> Option<Place> {
        let city: geoip2::City<'_> = self.0.lookup(address).ok()?.decode().ok()??;
        let location = |degrees: Option<f64>| degrees.map(|degrees| format!("{degrees:.6}"));
        let code = city.country.iso_code;
        let known = [
            ("COUNTRY_CODE", code.map(str::to_owned)),
            ("COUNTRY_CODE3", code.and_then(country::three_letters).map(str::to_owned)),
            ("COUNTRY_NAME", city.country.names.english.map(str::to_owned)),
            ("COUNTRY_CONTINENT", city.continent.code.map(str::to_owned)),
            ("REGION", region(&city).map(str::to_owned)),
            ("CITY", city.city.names.english.map(str::to_owned)),
            ("POSTAL_CODE", city.postal.code.map(str::to_owned)),
            ("LATITUDE", location(city.location.latitude)),
            ("LONGITUDE", location(city.location.longitude)),
        ];
        let members = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Some(members.map(|(name, value)| (name, value.into_bytes())).collect())
    }
}

impl fmt::Debug for GeoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GeoDatabase").field(&self.0.metadata().database_type).finish()
    }
}

/// Without a database (no `SecGeoLookupDb`) no address is found: rule sets ask before they know
/// whether there is one.
#[derive(Debug)]
struct Lookup(Option<Arc<GeoDatabase>>);

impl Matcher for Lookup {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let database = self.0.as_ref();
        let place = database.and_then(|database| database.place(address(value)?.to_canonical()));
        let found = place.is_some();
        if found {
            scope.geo = place;
        }
        found
    }

    fn is_pure(&self) -> bool {
        false
    }
}

/// The largest subdivision of the country.
fn region<'a>(city: &geoip2::City<'a>) -> Option<&'a str> {
    city.subdivisions.first()?.iso_code
}
