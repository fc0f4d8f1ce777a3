//! Which view shows a place: the one file that knows them all.

use super::{
    view::{Place, View},
    views,
};

impl Place {
    /// The view that shows it.
    pub fn view(&self) -> Box<dyn View> {
        match self {
            Self::Tenants => Box::<views::tenants::Tenants>::default(),
            Self::Nodes => Box::<views::nodes::Nodes>::default(),
            Self::Runs => Box::<views::runs::Runs>::default(),
            Self::Findings => Box::<views::findings::Findings>::default(),
            Self::Database => Box::<views::database::DatabaseView>::default(),
            Self::Member(_) | Self::Proxy(_) => Box::new(views::database::DatabaseView::at(self.clone())),
            Self::Platform => Box::<views::platform::PlatformView>::default(),
            Self::Component(key) => Box::new(views::platform::PlatformView::at(key.clone())),
            Self::Recovery => Box::<views::recovery::Recovery>::default(),
            Self::Tenant(name) => Box::new(views::tenant::TenantView::new(name.clone())),
            Self::Node(name) => Box::new(views::node::NodeView::new(name.clone())),
            Self::Run(id) => Box::new(views::run::RunView::new(id.clone())),
            Self::Campaign(id) => Box::new(views::campaign::CampaignView::new(id.clone())),
            Self::WhatIf(nodes, loss) => Box::new(views::whatif::WhatIfView::new(nodes.clone(), *loss)),
            Self::Ranking => Box::<views::ranking::Ranking>::default(),
            Self::Object(key, yaml) => Box::new(views::object::ObjectView::new(key.clone(), *yaml)),
            Self::Log(name, pod) => Box::new(views::log::LogView::new(name.clone(), pod.clone())),
            Self::Forwards => Box::<views::forwards::Forwards>::default(),
            Self::Timeline => Box::<views::timeline::Timeline>::default(),
            Self::Compare => Box::<views::compare::Compare>::default(),
            Self::Actions => Box::<views::actions::Actions>::default(),
            Self::Headroom(name) => Box::new(views::headroom::HeadroomView::new(name.clone())),
        }
    }
}
