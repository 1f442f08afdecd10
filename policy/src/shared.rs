//! Secrets that are the same in several places.

use std::collections::HashMap;
use std::rc::Rc;

use crate::model::ObjectState;
use crate::secret::Secrecy;

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<T> {
    pub holder: T,
    pub option: String,
}

/// The places of each secret that stands in more than one, in the order in which they come. An empty value is no secret.
pub fn shared<T: Clone>(objects: impl IntoIterator<Item = (T, Rc<ObjectState>, Secrecy)>) -> Vec<Vec<Place<T>>> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut places: Vec<Vec<Place<T>>> = Vec::new();
    for (holder, object, secrecy) in objects {
        let secrets = object.options.iter().filter(|(option, _)| secrecy.is_secret(option));
        for (option, value) in secrets.filter(|(_, value)| !value.expose().is_empty()) {
            let number = *numbers.entry(value.expose().to_owned()).or_insert_with(|| {
                places.push(Vec::new());
                places.len() - 1
            });
            let place = Place { holder: holder.clone(), option: option.to_owned() };
            places.get_mut(number).into_iter().for_each(|known| known.push(place.clone()));
        }
    }
    places.retain(|known| known.len() > 1);
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectType;
    use crate::secret::SecretOptions;
    use crate::testing::state;

    #[test]
    fn equal_secrets_are_found_and_nothing_else() {
        let holder = |name: &'static str, options: &[(&str, &str)]| {
            let mut secrecy = Secrecy::new(ObjectType::UserMapping, Rc::new(SecretOptions::default()));
            secrecy.add_public("user");
            (name, Rc::new(state(ObjectType::UserMapping, name, options)), secrecy)
        };
        let found = shared([
            holder("a", &[("user", "x"), ("password", "p"), ("pin", "")]),
            holder("b", &[("user", "x"), ("password", "q"), ("pin", "")]),
            holder("c", &[("sslpassword", "p")]),
        ]);
        let told: Vec<(&str, &str)> =
            found.iter().flatten().map(|place| (place.holder, place.option.as_str())).collect();
        assert_eq!((found.len(), told), (1, vec![("a", "password"), ("c", "sslpassword")]));
    }
}
